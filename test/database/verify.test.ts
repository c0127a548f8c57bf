import { appendFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { repairRollups, verifyLedger } from "../../src/database/verify.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"

const BALANCED = { waiting: 0, rejected: 0, dropped: 0, lost: 0, begun: 0, wrongDays: [] }

it("the books balance: rows in a journal count as waiting, rows in the database as written", async () => {
  const db = await connect((await createTestDatabase()).url)
  const root = await makeDirectory()
  const ledger = await openTestLedger(db, join(root, "1"), { timing: { lingerMs: 600_000 } })
  for (let i = 0; i < 3; i++) ledger.append(aRecord())
  ledger.stats() // flushes
  expect(await verifyLedger(db, root)).toEqual({ ...BALANCED, accepted: 3, written: 0, waiting: 3 })
  await ledger.drain(5000)
  expect(await verifyLedger(db, root)).toEqual({ ...BALANCED, accepted: 3, written: 3 })
})

it("finds rows that are neither in the journal nor in the database, requests without an end, and rejected rows", async () => {
  const db = await connect((await createTestDatabase()).url)
  const root = await makeDirectory()
  const ledger = await openTestLedger(db, join(root, "1"))
  const [kept, gone, refused] = [aRecord(), aRecord(), aRecord()]
  for (const record of [kept, gone, refused]) ledger.append(record)
  ledger.recordIntent(aRecord())
  await ledger.drain(5000)
  await ledger.close() // writes the cursor
  await db.query({ text: "DELETE FROM llm_requests WHERE id = ANY($1)", values: [[gone.id, refused.id]] })
  const line = JSON.stringify(refused)
  appendFileSync(join(root, "1", "rejected.jsonl"), `${JSON.stringify({ line, reason: "SQLSTATE 22003" })}\n`)
  const books = await verifyLedger(db, root)
  expect(books).toMatchObject({ accepted: 3, written: 1, waiting: 0, rejected: 1, lost: 1, begun: 1 })
})

it("names the days whose rollups differ from their requests, and rebuilds them; rollups of pruned days stay", async () => {
  const db = await connect((await createTestDatabase()).url)
  const root = await makeDirectory()
  const ledger = await openTestLedger(db, join(root, "1"))
  for (const day of [18, 19, 20, 21]) ledger.append(aRecord({ created_at: `2026-11-${day}T10:00:00.000Z` }))
  await ledger.drain(5000)
  await db.query("DELETE FROM llm_requests WHERE created_at < '2026-11-19'")
  expect((await verifyLedger(db, root)).wrongDays).toEqual([])

  await db.query("UPDATE llm_usage_daily SET total_cost = total_cost + 1 WHERE day = '2026-11-20'")
  await db.query("DELETE FROM llm_usage_hourly WHERE hour >= '2026-11-21'")
  const { wrongDays } = await verifyLedger(db, root)
  expect(wrongDays).toEqual(["2026-11-20", "2026-11-21"])
  await repairRollups(db, wrongDays)
  expect((await verifyLedger(db, root)).wrongDays).toEqual([])
  const { rows } = await db.query("SELECT count(*)::int AS days FROM llm_usage_daily")
  expect(rows).toEqual([{ days: 4 }])
})

it("finds and rebuilds rollups of metadata that differ from the requests, and weeks that differ from their days", async () => {
  const db = await connect((await createTestDatabase()).url)
  const root = await makeDirectory()
  await db.query("INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('User-Id', true, true)")
  const ledger = await openTestLedger(db, join(root, "1"))
  for (const day of ["02", "03", "04", "11"])
    ledger.append(aRecord({ created_at: `2026-02-${day}T10:00:00.000Z`, raw_metadata: { "User-Id": "7" } }))
  await ledger.drain(5000)
  await db.query(`INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, response_time_ms, status_code, outcome, created_at)
    VALUES ('', '', '', '', '2026-02-03', '2026-02-03', 0, 0, 'gap', '2026-02-03')`)
  expect((await verifyLedger(db, root)).wrongDays).toEqual([])

  const wrong: [change: string, days: string[]][] = [
    ["UPDATE llm_usage_metadata_weekly SET total_cost = total_cost + 1 WHERE week = '2026-02-09'", ["2026-02-09"]],
    ["DELETE FROM llm_usage_metadata_weekly WHERE week = '2026-02-02'", ["2026-02-02"]],
    ["UPDATE llm_usage_hourly_keys SET total_cost = 0 WHERE hour >= '2026-02-11'", ["2026-02-11"]],
    ["DELETE FROM llm_usage_metadata WHERE day = '2026-02-04'", ["2026-02-02", "2026-02-04"]],
  ]
  for (const [change, days] of wrong) {
    await db.query(change)
    const { wrongDays } = await verifyLedger(db, root)
    expect(wrongDays).toEqual(days)
    await repairRollups(db, wrongDays)
    expect((await verifyLedger(db, root)).wrongDays).toEqual([])
  }
})
