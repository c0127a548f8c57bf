import { openJournal } from "../../../src/kit/log/open-journal.ts"

const [dir = ""] = process.argv.slice(2)
const journal = await openJournal({
  dir,
  maxBytes: 1 << 30,
  segmentBytes: 1 << 20,
  syncIntervalMs: 50,
  onDamaged: console.error,
  onError: console.error,
})

// Prints each id after its row was kept, as the gateway ends an answer. Rows have many sizes, and some are large.
let n = 0
function round() {
  let kept = ""
  for (let i = 0; i < 50; i++, n++) {
    const id = `${n}`
    journal.appendIntent(JSON.stringify({ id, isIntent: true }), id)
    const line = JSON.stringify({ id, text: "x".repeat(n % 100 === 0 ? 100_000 : n % 900) })
    if (journal.append(line, id) === "kept") kept += `${id}\n`
  }
  process.stdout.write(kept)
  setImmediate(round)
}
round()
