import type * as fs from "node:fs"
import { beforeEach, expect, it, vi } from "vitest"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"

const disk = vi.hoisted(() => ({ isFailing: false }))

vi.mock("node:fs", async (importOriginal) => {
  const real = await importOriginal<typeof fs>()
  const writeSync = (fd: number, bytes: Buffer, offset: number, length: number, position?: number) => {
    if (disk.isFailing) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" })
    return real.writeSync(fd, bytes, offset, length, position)
  }
  return { ...real, writeSync }
})

beforeEach(() => {
  disk.isFailing = false
})

it("[LOG-07] while the disk rejects writes, rows reach the database through memory, and through the disk again afterwards", async () => {
  const db = await connect((await createTestDatabase()).url)
  const ledger = await openTestLedger(db, await makeDirectory(), { timing: { probeIntervalMs: 20 } })
  ledger.append(aRecord())
  disk.isFailing = true
  for (let i = 0; i < 50; i++) ledger.append(aRecord())
  expect(ledger.stats()).toMatchObject({ accepted: 51, waiting: 51, dropped: 0 })
  expect((await ledger.drain(5000)).drained).toBe(true)
  expect(ledger.lines.join("\n")).toContain("cannot be written (ENOSPC): rows go to its reserve and then to memory")
  disk.isFailing = false
  await expect.poll(() => ledger.lines.join("\n")).toContain("can be written again")
  ledger.append(aRecord())
  expect((await ledger.drain(5000)).drained).toBe(true)
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
  expect((await ledger.drain(5000)).drained).toBe(true)
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
