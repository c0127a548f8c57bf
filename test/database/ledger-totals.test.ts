import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { parseTotals } from "../../src/database/ledger/totals.ts"
import { verifyLedger } from "../../src/database/verify.ts"
import { readCounters } from "../../src/kit/log/counter-file.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { mountSmallDisk } from "../support/small-disk.ts"
import { aRecord, connect, makeDirectory, type OpenedLedger, openTestLedger } from "./_ledger.ts"

const disk = mountSmallDisk(24)
afterAll(() => disk?.remove())

const newDatabase = async () => connect((await createTestDatabase()).url)

const AWAY = { query: () => Promise.reject(new Error("the database is away")) } as unknown as Database
const NEVER = { lingerMs: 600_000, gapIntervalMs: 600_000, probeIntervalMs: 600_000 }

// Rows of this size leave less at the end of the disk than the row of a gap takes, which would be one row more.
const append = (ledger: OpenedLedger, count: number) => {
  for (let i = 0; i < count; i++) ledger.append(aRecord({ request_body: "x".repeat(1861) }))
  ledger.stats() // flushes
}

/** The directory as a process leaves it that is killed now. */
async function killed(dir: string): Promise<string> {
  const copy = join(await makeDirectory(), "journal")
  cpSync(dir, copy, { recursive: true })
  return copy
}

function totalsOf(dir: string) {
  const { accepted, written, rejected, dropped, memory } = parseTotals(readCounters(dir))
  return { accepted, written, rejected, dropped, memory }
}

const newDirectory = () => mkdtempSync(join(disk!.dir, "journal-"))

describe.skipIf(disk === undefined)("[L1] [L6] while the disk is full and the database is away", () => {
  it("rows fill the reserve, then memory, then are dropped; a kill at any moment leaves each of them counted", async () => {
    const dir = newDirectory()
    const db = await newDatabase()
    const ledger = await openTestLedger(AWAY, dir, { maxJournalBytes: 4 << 20, timing: NEVER })
    append(ledger, 10)
    disk!.fill()
    append(ledger, 5000)
    const now = ledger.stats()
    expect(now.accepted).toBe(5010)
    expect(now.dropped).toBeGreaterThan(100)
    const { memory } = totalsOf(dir)
    expect(memory).toBeGreaterThan(100)
    const onDisk = now.waiting - memory
    expect(onDisk).toBeGreaterThan(100)

    const next = await openTestLedger(db, await killed(dir))
    expect(next.stats()).toMatchObject({ accepted: 5010 - now.dropped + 1, waiting: onDisk + 1, dropped: memory })
    expect((await next.drain(180_000)).drained).toBe(true)
    const { rows } = await db.query(
      "SELECT sum((usage ->> 'dropped')::int)::int AS n FROM llm_requests WHERE outcome = 'gap'",
    )
    expect(rows).toEqual([{ n: now.dropped + memory }])
    disk!.clear()
  })

  it("a shutdown says what is on the disk, and counts what is not", async () => {
    const dir = newDirectory()
    const db = await newDatabase()
    const ledger = await openTestLedger(AWAY, dir, { maxJournalBytes: 4 << 20, timing: NEVER })
    disk!.fill()
    append(ledger, 1000)
    await ledger.close()
    const { accepted, written, waiting, rejected, dropped } = ledger.stats()
    expect([accepted, written, rejected, waiting + dropped]).toEqual([1001, 0, 0, 1001]) // the gap row finds room
    expect(dropped).toBeGreaterThan(100)
    expect(ledger.lines.at(-1)).toBe(
      `info ledger: 1001 accepted = 0 written + ${waiting} waiting + 0 rejected + ${dropped} dropped; the waiting rows are in ${dir}`,
    )
    disk!.clear()
    const next = await openTestLedger(db, dir)
    expect(next.stats().accepted).toBe(waiting)
    expect((await next.drain(180_000)).drained).toBe(true)
    await next.close()
    expect(totalsOf(dir)).toEqual({ accepted: 1001, written: waiting, rejected: 0, dropped, memory: 0 })
    expect(readdirSync(dir)).toEqual(["counters.json", "id"])
  })
})

it.skipIf(disk === undefined)(
  "while only the disk is full, the reserve is used again and again: no row is dropped, and a kill loses none",
  async () => {
    const dir = newDirectory()
    const db = await newDatabase()
    const ledger = await openTestLedger(db, dir, {
      maxJournalBytes: 16 << 20,
      timing: { ...NEVER, probeIntervalMs: 20 },
    })
    disk!.fill()
    ledger.recordIntent(aRecord())
    for (let round = 0; round < 20; round++) {
      append(ledger, 50)
      expect(totalsOf(dir).memory).toBe(0)
      const copy = await killed(dir)
      const next = await openTestLedger(AWAY, copy, { timing: NEVER })
      const { waiting, dropped } = next.stats()
      const life = totalsOf(copy) // stored when the copy was opened, before the row of the running request
      expect([life.accepted, waiting - 1, dropped]).toEqual([50 * (round + 1), life.accepted - life.written, 0])
      expect((await ledger.drain(180_000)).drained).toBe(true)
    }
    expect(ledger.stats()).toMatchObject({ accepted: 1000, written: 1000, dropped: 0 })
    disk!.clear()
    await expect.poll(() => ledger.lines.join("\n")).toContain("can be written again")
    expect(readdirSync(dir)).toContain("reserve-8")
  },
)

it.skipIf(disk === undefined)(
  "a running request whose intent finds no room is counted when its process is killed",
  async () => {
    const db = await newDatabase()
    const dir = newDirectory()
    const ledger = await openTestLedger(AWAY, dir, { maxJournalBytes: 4 << 20, timing: NEVER })
    disk!.fill()
    append(ledger, 5000)
    const running = Array.from({ length: 3 }, () => aRecord({ raw_metadata: { Note: "x".repeat(5000) } }))
    for (const intent of running) ledger.recordIntent(intent)
    ledger.stats() // flushes
    const before = parseTotals(readCounters(dir))
    expect(before.running).toBe(3)
    ledger.append(running[0]!)
    ledger.stats()
    const { dropped, memory, running: left } = parseTotals(readCounters(dir))
    expect([left, dropped + memory]).toEqual([2, before.dropped + before.memory + 1])
    const next = await openTestLedger(db, await killed(dir))
    await next.drain(180_000)
    const gaps = "SELECT sum((usage ->> 'dropped')::int)::int AS n FROM llm_requests WHERE outcome = 'gap'"
    expect((await db.query(gaps)).rows).toEqual([{ n: dropped + memory + 2 }])
    disk!.clear()
  },
)

describe("over the life of a directory, accepted = written + waiting + rejected + dropped", () => {
  it("also when processes are killed, and read rows again", async () => {
    const db = await newDatabase()
    let dir = await makeDirectory()
    for (let round = 1; round <= 5; round++) {
      const ledger = await openTestLedger(db, dir, { timing: { ...NEVER, batchBytes: 20_000, maxBatchBytes: 20_000 } })
      append(ledger, 100)
      await ledger.drain(round % 2 ? 20_000 : 1)
      dir = await killed(dir)
    }
    const last = await openTestLedger(db, dir)
    await last.drain(180_000)
    await last.close()
    expect(totalsOf(dir)).toEqual({ accepted: 500, written: 500, rejected: 0, dropped: 0, memory: 0 })
  })

  it("also when a file of the journal is removed while rows wait in it: they count as dropped", async () => {
    const db = await newDatabase()
    const dir = await makeDirectory()
    const first = await openTestLedger(AWAY, dir, { timing: NEVER })
    append(first, 30)
    await first.close()
    expect(first.stats()).toMatchObject({ waiting: 30, dropped: 0 })
    rmSync(join(dir, "000000000001.jsonl"))
    const next = await openTestLedger(db, dir)
    expect(next.stats()).toMatchObject({ accepted: 31, waiting: 1, dropped: 30 })
    expect((await next.drain(180_000)).drained).toBe(true)
    await next.close()
    expect(totalsOf(dir)).toEqual({ accepted: 31, written: 1, rejected: 0, dropped: 30, memory: 0 })
  })

  it("also when a file is truncated while its rows wait in a running gateway: verify and a gap row show the loss", async () => {
    const db = await newDatabase()
    const root = await makeDirectory()
    const dir = join(root, "1")
    const ledger = await openTestLedger(db, dir, { timing: NEVER })
    append(ledger, 30)
    truncateSync(join(dir, "000000000001.jsonl"), 0)
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(ledger.stats()).toMatchObject({ accepted: 30, written: 0, rejected: 0, dropped: 30 })
    expect(await verifyLedger(db, root)).toMatchObject({ accepted: 30, written: 0, dropped: 30, lost: 0 })
    await ledger.close()
    const next = await openTestLedger(db, dir)
    await next.drain(180_000)
    expect(await verifyLedger(db, root)).toMatchObject({ accepted: 30, written: 0, dropped: 30, lost: 0 })
    expect((await db.query("SELECT usage FROM llm_requests WHERE outcome = 'gap'")).rows).toEqual([
      { usage: { dropped: 30 } },
    ])
  })

  it("also when the database rejects a row and the disk does not store it: verify and a gap row show the loss", async () => {
    const db = await newDatabase()
    const root = await makeDirectory()
    const ledger = await openTestLedger(db, join(root, "1"), { timing: NEVER })
    mkdirSync(join(root, "1", "rejected.jsonl"))
    ledger.append(aRecord({ id: "no-uuid" }))
    append(ledger, 3)
    expect((await ledger.drain(180_000)).drained).toBe(true)
    expect(ledger.stats()).toMatchObject({ accepted: 4, written: 3, rejected: 0, dropped: 1 })
    rmSync(join(root, "1", "rejected.jsonl"), { recursive: true })
    expect(await verifyLedger(db, root)).toMatchObject({ accepted: 4, written: 3, dropped: 1, lost: 0 })
  })

  it("also when the directory is removed under a running gateway, whose last line says so", async () => {
    const dir = join(await makeDirectory(), "journal")
    const ledger = await openTestLedger(AWAY, dir, { timing: NEVER })
    append(ledger, 30)
    rmSync(dir, { recursive: true })
    await ledger.close()
    expect(ledger.lines.at(-1)).toContain("30 accepted = 0 written + 0 waiting + 0 rejected + 30 dropped")
  })
})
