import { openJournal } from "../../src/kit/journal.ts"

const [dir = ""] = process.argv.slice(2)
const journal = await openJournal({
  dir,
  maxBytes: 1 << 30,
  segmentBytes: 1 << 20,
  syncIntervalMs: 50,
  onError: console.error,
})

// Tells each id after its line was kept, as the gateway ends an answer; lines of many sizes, large ones among them.
let n = 0
function round() {
  let told = ""
  for (let i = 0; i < 50; i++, n++) {
    const id = `${n}`
    journal.begin(JSON.stringify({ id, begun: true }), id)
    const line = JSON.stringify({ id, text: "x".repeat(n % 100 === 0 ? 100_000 : n % 900) })
    if (journal.append(line, id) === "kept") told += `${id}\n`
  }
  process.stdout.write(told)
  setImmediate(round)
}
round()
