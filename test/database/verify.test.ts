import { appendFileSync, mkdirSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { prune } from "../../src/database/prune.ts"
import { verifyLedger } from "../../src/database/verify.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"

const BALANCED = {
  waiting: 0,
  rejected: 0,
  dropped: 0,
  lost: 0,
  begun: 0,
  unreadable: [],
  differences: [],
  days: { compared: 0, proven: 0, pruned: 0 },
  limits: 0,
}

const ONE_DAY = { compared: 1, proven: 0, pruned: 0 }

it("the books balance: rows in a journal count as waiting, rows in the database as written", async () => {
  const db = await connect((await createTestDatabase()).url)
  const root = await makeDirectory()
  const ledger = await openTestLedger(db, join(root, "1"), { timing: { lingerMs: 600_000 } })
  for (let i = 0; i < 3; i++) ledger.append(aRecord())
  ledger.stats() // flushes
  expect(await verifyLedger(db, root)).toEqual({ ...BALANCED, accepted: 3, written: 0, waiting: 3 })
  await ledger.drain(180_000)
  expect(await verifyLedger(db, root)).toEqual({ ...BALANCED, accepted: 3, written: 3, days: ONE_DAY })
})

it("finds rows that are neither in the journal nor in the database, requests without an end, and rejected rows", async () => {
  const db = await connect((await createTestDatabase()).url)
  const root = await makeDirectory()
  const ledger = await openTestLedger(db, join(root, "1"))
  const [kept, gone, refused] = [aRecord(), aRecord(), aRecord()]
  for (const record of [kept, gone, refused]) ledger.append(record)
  ledger.recordIntent(aRecord())
  await ledger.drain(180_000)
  await ledger.close() // writes the cursor
  await db.query({ text: "DELETE FROM llm_requests WHERE id = ANY($1)", values: [[gone.id, refused.id]] })
  const line = JSON.stringify(refused)
  appendFileSync(join(root, "1", "rejected.jsonl"), `${JSON.stringify({ line, reason: "SQLSTATE 22003" })}\n`)
  const books = await verifyLedger(db, root)
  expect(books).toMatchObject({ accepted: 3, written: 1, waiting: 0, rejected: 1, lost: 1, begun: 1 })
})

it("[L13] names files of a journal that cannot be read, and reads the rest", async () => {
  const db = await connect((await createTestDatabase()).url)
  const root = await makeDirectory()
  for (const slot of ["1", "2"]) {
    const ledger = await openTestLedger(db, join(root, slot))
    ledger.append(aRecord())
    ledger.recordIntent(aRecord()) // keeps the segment in the journal
    await ledger.drain(180_000)
    await ledger.close()
  }
  const dir = join(root, "1")
  const segment = join(dir, readdirSync(dir).find((name) => name.endsWith(".jsonl"))!)
  // Reading a directory as a file fails for every user.
  for (const file of [segment, join(dir, "rejected.jsonl"), join(root, "2", "counters.json")]) {
    rmSync(file, { force: true })
    mkdirSync(file)
  }
  const result = await verifyLedger(db, root)
  expect(result.unreadable.map(({ code }) => code)).toEqual(["EISDIR", "EISDIR", "EISDIR"])
  expect(result).toMatchObject({ written: 2, lost: 0, begun: 1, differences: [], days: ONE_DAY })
})

it("[L16] rows that were pruned and are still in a journal are not lost", async () => {
  const db = await connect((await createTestDatabase()).url)
  const root = await makeDirectory()
  const ledger = await openTestLedger(db, join(root, "1"))
  const gone = aRecord({ created_at: "2026-11-21T10:00:00.000Z" })
  for (const day of [18, 19, 20]) ledger.append(aRecord({ created_at: `2026-11-${day}T10:00:00.000Z` }))
  ledger.append(gone)
  ledger.recordIntent(aRecord()) // keeps the segment in the journal
  await ledger.drain(180_000)
  await ledger.close()
  await prune(db, { olderThan: Date.parse("2026-11-20T12:00:00Z"), bodiesOnly: false })
  const days = { compared: 2, proven: 0, pruned: 2 }
  expect(await verifyLedger(db, root)).toEqual({ ...BALANCED, begun: 1, accepted: 2, written: 2, days })
  await db.query({ text: "DELETE FROM llm_requests WHERE id = $1", values: [gone.id] })
  expect(await verifyLedger(db, root)).toMatchObject({ lost: 1 })
})
