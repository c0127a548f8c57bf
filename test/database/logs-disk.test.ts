import type * as fs from "node:fs"
import { beforeEach, expect, it, vi } from "vitest"
import { parseTotals } from "../../src/database/ledger/totals.ts"
import { readCounters } from "../../src/kit/log/counter-file.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"

const disk = vi.hoisted(() => ({
  isFailing: false,
  /** Which writes fail although the disk is not failing as a whole, and how many did. */
  rejects: undefined as undefined | ((bytes: Buffer, length: number) => boolean),
  rejected: 0,
}))

vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof fs>()
  const writeSync = (fd: number, bytes: Buffer, offset: number, length: number, position?: number) => {
    const isRejected = disk.rejects?.(bytes, length) === true
    if (isRejected) disk.rejected++
    if (disk.isFailing || isRejected)
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })
    return real.writeSync(fd, bytes, offset, length, position)
  }
  return { ...real, writeSync }
})

beforeEach(() => {
  Object.assign(disk, { isFailing: false, rejects: undefined, rejected: 0 })
})

it("[LOG-07] while the disk rejects writes, rows reach the database through memory, and through the disk again afterwards", async () => {
  const db = await connect((await createTestDatabase()).url)
  const ledger = await openTestLedger(db, await makeDirectory(), { timing: { probeIntervalMs: 20 } })
  ledger.append(aRecord())
  disk.isFailing = true
  for (let i = 0; i < 50; i++) ledger.append(aRecord())
  expect(ledger.stats()).toMatchObject({ accepted: 51, waiting: 51, dropped: 0 })
  expect((await ledger.drain(180_000)).drained).toBe(true)
  expect(ledger.lines.join("\n")).toContain("cannot be written (ENOSPC): rows go to its reserve and then to memory")
  disk.isFailing = false
  await expect.poll(() => ledger.lines.join("\n")).toContain("can be written again")
  ledger.append(aRecord())
  expect((await ledger.drain(180_000)).drained).toBe(true)
  expect((await db.query("SELECT id FROM llm_requests")).rowCount).toBe(52)
})

it("while the disk rejects writes and memory is full, rows are dropped and counted; with `block`, new requests are rejected", async () => {
  const db = await connect((await createTestDatabase()).url)
  const timing = { lingerMs: 600_000, probeIntervalMs: 20, gapIntervalMs: 20 }
  const ledger = await openTestLedger(db, await makeDirectory(), { maxJournalBytes: 50_000, whenFull: "block", timing })
  disk.isFailing = true
  for (let i = 0; i < 200; i++) ledger.append(aRecord())
  const { accepted, waiting, dropped } = ledger.stats()
  expect([accepted, waiting + dropped, dropped > 100, ledger.isFull()]).toEqual([200, 200, true, true])
  disk.isFailing = false
  await expect.poll(() => ledger.lines.join("\n")).toContain("can be written again")
  await expect.poll(() => ledger.stats().accepted).toBe(201)
  expect((await ledger.drain(180_000)).drained).toBe(true)
  expect(ledger.isFull()).toBe(false)
  const { rows } = await db.query("SELECT usage FROM llm_requests WHERE outcome = 'gap'")
  expect(rows).toEqual([{ usage: { dropped } }])
})

it("rows that wait in memory are written to the disk when the ledger closes", async () => {
  const db = await connect((await createTestDatabase()).url)
  const dir = await makeDirectory()
  const ledger = await openTestLedger(db, dir, { timing: { lingerMs: 600_000, probeIntervalMs: 600_000 } })
  disk.isFailing = true
  for (let i = 0; i < 3; i++) ledger.append(aRecord())
  disk.isFailing = false
  await ledger.close()
  const next = await openTestLedger(db, dir)
  expect(next.stats().accepted).toBe(3)
})

it.each([
  ["has no room for the reserve", (_: Buffer, length: number) => length > 4096],
  ["rejects rows", (bytes: Buffer) => bytes.subarray(0, 6).equals(Buffer.from('{"id":'))],
])("[L11] the journal is said to be writable again only when it is: not while the disk %s", async (_, rejects) => {
  const db = await connect((await createTestDatabase()).url)
  const dir = await makeDirectory()
  const timing = { lingerMs: 600_000, probeIntervalMs: 20 }
  const ledger = await openTestLedger(db, dir, { maxJournalBytes: 1 << 20, timing })
  disk.isFailing = true
  for (let i = 0; i < 20; i++) ledger.append(aRecord())
  expect(ledger.stats()).toMatchObject({ accepted: 20, dropped: 0 })
  Object.assign(disk, { isFailing: false, rejects, rejected: 0 })
  await expect.poll(() => disk.rejected).toBeGreaterThan(3)
  expect(ledger.lines.join("\n")).not.toContain("again")
  disk.rejects = undefined
  await expect.poll(() => ledger.lines.join("\n")).toContain("can be written again")
  expect(parseTotals(readCounters(dir)).memory).toBe(0)
  expect((await ledger.drain(180_000)).drained).toBe(true)
})

it("[L11] the journal is not said to be writable again while it is full, although its disk accepts writes", async () => {
  const db = await connect((await createTestDatabase()).url)
  const timing = { lingerMs: 600_000, probeIntervalMs: 20 }
  const ledger = await openTestLedger(db, await makeDirectory(), { maxJournalBytes: 50_000, timing })
  const append = (rows: number) => {
    for (let i = 0; i < rows; i++) ledger.append(aRecord())
    return ledger.stats()
  }
  expect(append(30)).toMatchObject({ accepted: 30, dropped: 0 })
  disk.isFailing = true
  append(30)
  disk.isFailing = false
  await expect.poll(() => ledger.lines.join("\n")).toContain("accepts writes again, but the journal is full")
  expect(ledger.lines.join("\n")).not.toContain("can be written again")
  expect((await ledger.drain(180_000)).drained).toBe(true)
  expect(append(20).dropped).toBe(0)
})
