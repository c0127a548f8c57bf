import { join } from "node:path"
import { expect, onTestFinished, test, vi } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { backfillName } from "../../src/database/backfill.ts"
import { copyDatabase } from "../../src/database/copy.ts"
import { activateName, deactivateName } from "../../src/database/metadata.ts"
import { prune } from "../../src/database/prune.ts"
import { applyRepricings, type Repricing } from "../../src/database/repricings.ts"
import { migrate } from "../../src/database/schema.ts"
import { repairRollups, verifyLedger } from "../../src/database/verify.ts"
import { describeDatabases, describePostgresFirst, type OpenTestDatabase } from "../support/databases.ts"
import { HANG_MS } from "../support/until.ts"
import { aRecord, makeDirectory, openTestLedger } from "./_ledger.ts"
import { makeOlderScript } from "./_schemas.ts"
import { expectBalance, insertRequests, KEY, verifyDatabase } from "./_verify.ts"

vi.setConfig({ testTimeout: 300_000 })

const SINCE = "2026-02-01T00:00:00Z"
const FEATURE = { name: "Feature", key: undefined }
const nothing = () => {}

async function openWithRequests(open: OpenTestDatabase): Promise<Database> {
  const db = await open()
  await insertRequests(db, SINCE, 1, 60)
  await expectBalance(db)
  return db
}

function repricing(number: number, change: Partial<Repricing>): Repricing {
  return {
    id: `b0000000-0000-4000-8000-${String(number).padStart(12, "0")}`,
    old_cost_status: "inconsistent",
    old_total_cost: `${(number * 3) / 1e12}`,
    input_cost: "0.1",
    output_cost: "0.2",
    total_cost: "0.3",
    cost_status: "exact",
    price: {},
    reason: "test",
    ...change,
  }
}

describePostgresFirst("verify gives no false alarm", (open) => {
  test("[L16] after activating, pruning, repricing and deactivating, in each order", async () => {
    const db = await openWithRequests(open)
    await activateName(db, FEATURE)
    await expectBalance(db)
    await insertRequests(db, SINCE, 61, 80)
    await expectBalance(db)
    await backfillName(db, "Feature", nothing)
    await expectBalance(db)
    await prune(db, { olderThan: Date.parse("2026-02-03T00:00:00Z"), bodiesOnly: false })
    await expectBalance(db)
    const repriced = await applyRepricings(db, [repricing(19, {}), repricing(24, { cost_status: "free" })])
    expect(repriced.size).toBe(2)
    await expectBalance(db)
    await prune(db, { olderThan: Date.parse("2026-02-05T00:00:00Z"), bodiesOnly: true })
    await expectBalance(db)
    await activateName(db, { name: "User-Id", key: KEY })
    await backfillName(db, "User-Id", nothing)
    await expectBalance(db)
    await deactivateName(db, FEATURE)
    await insertRequests(db, SINCE, 81, 90)
    await expectBalance(db)
    await prune(db, { olderThan: Date.parse("2026-02-08T00:00:00Z"), bodiesOnly: false })
    await expectBalance(db)
    // Requests that waited while their day was pruned.
    await insertRequests(db, SINCE, 1, 8)
    await expectBalance(db)
  })

  test("[L16] after edits by hand that triggers follow: other days, models, keys, values, without a cost, and as gaps", async () => {
    const db = await openWithRequests(open)
    await activateName(db, FEATURE)
    await backfillName(db, "Feature", nothing)
    const changes = [
      "created_at = created_at + interval '1 day' WHERE model = 'm1'",
      "created_at = created_at - interval '40 days'",
      "total_cost = NULL, input_cost = NULL, cost_status = 'unpriced' WHERE provider = 'anthropic'",
      "model = 'another', majordomo_api_key_id = NULL WHERE model = 'm0'",
      `raw_metadata = '{"Feature": "other"}' WHERE model = 'another'`,
      "raw_metadata = NULL WHERE model = 'm1'",
      "outcome = 'gap' WHERE provider = 'anthropic'",
      "outcome = 'complete', input_tokens = 9223372036854775807",
    ]
    for (const change of changes) {
      await db.query(`UPDATE llm_requests SET ${change}`)
      await expectBalance(db)
    }
    await db.query("SELECT majordomo_count_again()")
    await expectBalance(db)
    await db.query("DELETE FROM api_keys")
    await expectBalance(db)
    // Rows that are deleted by hand are no false alarm: their totals stay, as after prune, but nothing says that they may.
    await db.query("DELETE FROM llm_requests WHERE model = 'm1'")
    const { differences } = await verifyDatabase(db)
    expect(differences.length).toBeGreaterThan(0)
    await repairRollups(db, differences)
    await expectBalance(db)
    await db.query("TRUNCATE llm_requests")
    await expectBalance(db)
  })

  test("for days with more than 10,000 values, of which some are counted as (other)", async () => {
    const db = await open()
    await activateName(db, { name: "User-Id", key: undefined })
    const insert = (first: number, last: number) => {
      const text = `INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at, response_time_ms,
          status_code, raw_metadata, created_at)
        SELECT 'openai', 'm', '/', 'POST', at, at, n, 200, jsonb_build_object('User-Id', 'u' || n), at
        FROM generate_series(${first}, ${last}) AS n CROSS JOIN (SELECT '2026-02-03T10:00Z'::timestamptz AS at) AS times`
      return db.query({ text, timeoutMs: HANG_MS })
    }
    await insert(1, 9_990)
    await insert(9_900, 10_050)
    await backfillName(db, "User-Id", nothing)
    await insert(10_000, 10_100)
    await expectBalance(db)
    await db.query("UPDATE llm_usage_metadata SET errors = errors + 1 WHERE value = '(other)'")
    expect((await verifyDatabase(db)).differences[0]).toMatchObject({
      table: "llm_usage_metadata",
      period: "2026-02-03",
      name: "User-Id",
      counters: ["errors"],
    })
  })

  test("after copying a database with pruned days, once and again, and after restoring a copy of its tables", async () => {
    const source = await openWithRequests(open)
    await activateName(source, FEATURE)
    await backfillName(source, "Feature", nothing)
    await prune(source, { olderThan: Date.parse("2026-02-04T00:00:00Z"), bodiesOnly: false })
    const target = await open()
    for (const last of [60, 70]) {
      await insertRequests(source, SINCE, 13, last)
      await copyDatabase(source, target)
      await expectBalance(source)
      await expectBalance(target)
    }
    const { rows } = await source.query("SELECT * FROM majordomo_verified")
    expect(rows.length).toBeGreaterThan(0)
  })

  test("after migrating a database of version 2 with rows, also with NaN in them", async () => {
    const db = await open({ empty: true })
    await migrate(db, undefined, makeOlderScript(2))
    await insertRequests(db, SINCE, 1, 40)
    await db.query("UPDATE llm_requests SET total_cost = 'NaN' WHERE created_at = '2026-02-03T00:00Z'")
    expect((await migrate(db)).did).toBe("updated")
    await insertRequests(db, SINCE, 41, 60)
    const { differences, written } = await verifyDatabase(db)
    expect(written).toBe(60)
    expect([...new Set(differences.map(({ day }) => day))]).toEqual(["2026-02-03"])
    expect(differences).toContainEqual(
      expect.objectContaining({ table: "llm_requests", period: "2026-02-03T00:00Z", counters: ["total_cost"] }),
    )
  })

  test("while a gateway writes, prunes and changes rows", async () => {
    const db = await openWithRequests(open)
    await activateName(db, FEATURE)
    await backfillName(db, "Feature", nothing)
    const journals = await makeDirectory()
    const ledger = await openTestLedger(db, join(journals, "1"))
    let isStopped = false
    onTestFinished(() => {
      isStopped = true
    })
    let written = 0
    const writing = (async () => {
      while (!isStopped) {
        for (let i = 0; i < 20; i++) {
          const day = String(1 + (written++ % 9)).padStart(2, "0")
          ledger.append(aRecord({ created_at: `2026-02-${day}T10:00:00.000Z`, raw_metadata: { Feature: `f${i % 3}` } }))
        }
        await ledger.drain(180_000)
        await db.query("UPDATE llm_requests SET total_cost = total_cost + 1 WHERE created_at < '2026-02-05T00:00Z'")
      }
    })()
    for (let round = 0; round < 6; round++) {
      if (round === 3) await prune(db, { olderThan: Date.parse("2026-02-02T00:00:00Z"), bodiesOnly: false })
      expect(await verifyLedger(db, journals, { all: round % 2 === 1 })).toMatchObject({ differences: [], lost: 0 })
    }
    isStopped = true
    await writing
    expect(written).toBeGreaterThan(20)
    await expectBalance(db)
  })
})

describeDatabases("verify remembers what it has proven", (open) => {
  test("so that a second run compares only a sample, and every day when it is told to or when something has changed", async () => {
    const db = await open()
    await insertRequests(db, SINCE, 1, 60)
    expect((await verifyDatabase(db)).days).toEqual({ compared: 11, proven: 0, pruned: 0 })
    expect((await verifyDatabase(db)).days).toEqual({ compared: 1, proven: 10, pruned: 0 })
    expect((await verifyDatabase(db, { all: true })).days).toEqual({ compared: 11, proven: 0, pruned: 0 })
  })

  test("and the sample goes round: every day is compared again after some runs", async () => {
    const db = await open()
    await insertRequests(db, SINCE, 1, 60)
    await verifyDatabase(db)
    await db.query("UPDATE majordomo_verified SET verified_at = now() - interval '1 day'")
    for (let run = 0; run < 60; run++) {
      await verifyDatabase(db)
      const { rows } = await db.query("SELECT FROM majordomo_verified WHERE verified_at < now() - interval '1 hour'")
      if (rows.length === 0) return
    }
    expect.unreachable("some days were never compared again")
  })
})
