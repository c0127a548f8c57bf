import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { join } from "node:path"
import { setTimeout as wait } from "node:timers/promises"
import { afterAll, beforeAll, expect, test } from "vitest"
import { makeDirectory, openTestJournal, takeAll } from "../kit/log/_journal.ts"
import { createRandom, type Random } from "../providers/_random.ts"

const SYNC_INTERVAL_MS = 50
/** Timers fire some milliseconds late. What the machine delays beyond that is measured. */
const SLACK_MS = 100
const LASTS_MS = 2500
const SEED = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31)

/** How much of each file is certainly on the disk, by its inode: its size when its last finished sync began. */
const durable = new Map<number, number>()
/** The longest time that the machine has kept a sync, or this thread, waiting. */
let delayMs = 0
const original = { fdatasync: fs.fdatasync, fdatasyncSync: fs.fdatasyncSync }
beforeAll(() => {
  fs.fdatasync = ((fd: number, done: (error: Error | null) => void) => {
    const { ino, size } = fs.fstatSync(fd)
    const startedAt = performance.now()
    original.fdatasync(fd, (error) => {
      delayMs = Math.max(delayMs, performance.now() - startedAt)
      if (!error) durable.set(ino, Math.max(size, durable.get(ino) ?? 0))
      done(error)
    })
  }) as typeof fs.fdatasync
  fs.fdatasyncSync = (fd) => {
    original.fdatasyncSync(fd)
    const { ino, size } = fs.fstatSync(fd)
    durable.set(ino, size)
  }
  syncBuiltinESMExports()
})
afterAll(() => {
  Object.assign(fs, original)
  syncBuiltinESMExports()
})

/** Simulates the disk after a power failure: of the unsynced bytes it has some, none, or zeros in their place. */
function cutPower(from: string, to: string, random: Random): void {
  for (const name of fs.readdirSync(from)) {
    if (name === "cursor.json" && random.below(3) === 0) continue
    const bytes = fs.readFileSync(join(from, name))
    if (name === "cursor.json") {
      fs.writeFileSync(
        join(to, name),
        random.below(2) === 0 ? bytes : bytes.subarray(0, random.below(bytes.length + 1)),
      )
      continue
    }
    const sure = Math.min(durable.get(fs.statSync(join(from, name)).ino) ?? 0, bytes.length)
    if (sure === 0 && random.below(2) === 0) continue // the name of the file was not on the disk either
    const left = sure + random.below(bytes.length - sure + 1)
    const zeros = random.below(2) === 0 ? 0 : bytes.length - left
    fs.writeFileSync(join(to, name), Buffer.concat([bytes.subarray(0, left), Buffer.alloc(zeros)]))
  }
}

test("[LOG-05] a power failure at any moment loses at most the rows of the last sync interval, and the journal opens again", async () => {
  console.log(`power cuts: FUZZ_SEED=${SEED}`)
  const random = createRandom(SEED)
  const dir = await makeDirectory()
  const journal = await openTestJournal(dir, { syncIntervalMs: SYNC_INTERVAL_MS, segmentBytes: 32 << 10 })
  const appended: { readonly id: string; readonly at: number }[] = []
  const taken = new Set<string>()
  const cuts: {
    readonly dir: string
    readonly at: number
    readonly taken: ReadonlySet<string>
    readonly count: number
  }[] = []
  const startedAt = performance.now()
  let nextCutAt = startedAt + 500
  while (performance.now() - startedAt < LASTS_MS) {
    for (let i = random.below(8); i >= 0; i--) {
      const id = `${appended.length}`
      expect(journal.append(JSON.stringify({ id, text: "x".repeat(random.below(400)) }), id)).toBe("kept")
      appended.push({ id, at: performance.now() })
    }
    // A reader takes rows at the same time, so that segments are deleted and the cursor moves.
    if (random.below(20) === 0) {
      const batch = await journal.read(8 << 10)
      if (batch?.array) {
        for (const { id } of JSON.parse(batch.array.toString()) as { id: string }[]) taken.add(id)
        journal.ack(batch)
      }
    }
    if (performance.now() > nextCutAt) {
      const to = await makeDirectory()
      const at = performance.now()
      cutPower(dir, to, random)
      cuts.push({ dir: to, at, taken: new Set(taken), count: appended.length })
      nextCutAt = at + random.below(150)
    }
    const waitsFrom = performance.now()
    await wait(1)
    delayMs = Math.max(delayMs, performance.now() - waitsFrom)
  }
  expect(cuts.length).toBeGreaterThan(0)
  let lostAtAll = 0
  for (const cut of cuts) {
    const after = await openTestJournal(cut.dir)
    const { ids } = await takeAll(after)
    const kept = new Set(ids)
    const lost = appended.slice(0, cut.count).filter(({ id }) => !kept.has(id) && !cut.taken.has(id))
    lostAtAll += lost.length
    expect(lost.filter(({ at }) => at < cut.at - SYNC_INTERVAL_MS - SLACK_MS - 3 * delayMs)).toEqual([])
    expect(ids.length).toBe(kept.size)
    expect(after.append('{"id":"after"}', "after")).toBe("kept")
  }
  expect(lostAtAll, "the model does take what was not synced").toBeGreaterThan(0)
})
