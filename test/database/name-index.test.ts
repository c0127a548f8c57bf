import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { backfillName } from "../../src/database/backfill.ts"
import { activateName, deactivateName } from "../../src/database/metadata.ts"
import { dropIdleIndexes } from "../../src/database/name-index.ts"
import { verifyLedger } from "../../src/database/verify.ts"
import {
  askErrors,
  askLatency,
  askRollupState,
  askUsage,
  findDimension,
  NO_ROLLUPS,
  type RollupState,
  readRollupState,
  readsRollups,
} from "../../src/reports/index.ts"
import { describeDatabases } from "../support/databases.ts"
import { makeDirectory } from "./_ledger.ts"
import { insertOrdered, makeMonths } from "./_partitions.ts"
import { expectBalance } from "./_verify.ts"

const USER = { name: "User-Id", key: undefined }
const nothing = () => {}
const DAY_MS = 86_400_000

/** Three months with requests, of which some are of users 0 to 6. */
async function fill(db: Database): Promise<void> {
  await makeMonths(db, ["2026-01", "2026-02", "2026-03"])
  await insertOrdered(db, "2026-01-01T00:00:00Z", 1, 300, 6)
}

const listIndexes = async (db: Database) => {
  const { rows } = await db.query<{ name: string }>(
    "SELECT tablename AS name FROM pg_indexes WHERE indexname LIKE 'majordomo\\_name\\_%' ORDER BY 1",
  )
  return rows.map(({ name }) => name)
}
const readState = async (db: Database) => readRollupState((await db.query(askRollupState())).rows)
const readName = async (db: Database) =>
  (
    await db.query<{ summed: boolean; indexed: boolean; since: Date | null; counted_from: Date | null }>(
      "SELECT summed, indexed, indexed_since AS since, counted_from FROM llm_usage_metadata_names WHERE name = 'User-Id'",
    )
  ).rows[0]!

/** The reports about one user: from what the database has for them, and from every row. */
async function report(db: Database, state: RollupState, since = "2026-01-01T00:00:00Z"): Promise<unknown[]> {
  const period = { since: Date.parse(since), until: undefined, tz: "UTC" }
  const by = [findDimension("model")!]
  const filters = { where: { "User-Id": "3" } }
  const statements = [
    askUsage({ by, period, filters, sort: "name" }, state),
    askErrors({ by, period, filters, limit: 100 }, state),
    askLatency({ by, period, filters, sort: "name" } as never, state),
  ]
  return Promise.all(statements.map(async (statement) => (await db.query(statement)).rows))
}

async function expectSameReports(db: Database): Promise<void> {
  const state = await readState(db)
  for (const since of ["2026-01-01T00:00:00Z", "2026-02-10T00:00:00Z", new Date(Date.now() - DAY_MS).toISOString()])
    expect(await report(db, state, since)).toEqual(await report(db, NO_ROLLUPS, since))
}

describeDatabases("the index of a metadata name", (open, kind) => {
  test("no earlier request is changed: each partition that may have some gets an index", async () => {
    const db = await open()
    await fill(db)
    const rows = "SELECT string_agg(ctid::text || xmin::text, ',' ORDER BY id) AS versions FROM llm_requests"
    const before = (await db.query(rows)).rows
    await activateName(db, USER)
    expect(await backfillName(db, "User-Id", nothing)).toBe(300)
    expect((await db.query(rows)).rows).toEqual(before)
    const months = ["llm_requests_2026_01", "llm_requests_2026_02", "llm_requests_2026_03"]
    expect(await listIndexes(db)).toEqual(expect.arrayContaining(months))
    // Partitions of coming months have no earlier requests, and their writers do not pay for an index.
    const { rows: coming } = await db.query<{ name: string }>(
      "SELECT name FROM majordomo_partitions() WHERE from_id > majordomo_first_id(now()) AND until_id IS NOT NULL",
    )
    expect(coming).toHaveLength(3)
    for (const { name } of coming) expect(await listIndexes(db)).not.toContain(name)
    expect(await readName(db)).toMatchObject({ summed: true, indexed: false, counted_from: null })
    await expectBalance(db)
  })

  test("reports find earlier and later requests by their indexes, and say the same as without", async () => {
    const db = await open()
    await fill(db)
    await activateName(db, USER)
    await backfillName(db, "User-Id", nothing)
    await insertOrdered(db, new Date().toISOString(), 301, 400, 0)
    await expectSameReports(db)
    const period = { since: Date.parse("2026-01-01T00:00:00Z"), until: Date.parse("2027-01-01T00:00:00Z"), tz: "UTC" }
    const filters = { where: { "User-Id": "nobody" } }
    const { text, values } = askUsage(
      { by: [findDimension("model")!], period, filters, sort: "name" },
      await readState(db),
    )
    const plan = await db.transaction(async (query) => {
      await query("SELECT set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true)")
      return JSON.stringify((await query({ text: `EXPLAIN ${text}`, values })).rows)
    })
    const used = [...plan.matchAll(/majordomo_name_[0-9a-f]{12}_(\w+)/g)].map(([, name]) => name)
    expect(used).toEqual(
      expect.arrayContaining(["llm_requests_2026_01", "llm_requests_2026_02", "llm_requests_2026_03"]),
    )
  })

  test("values of any length are found, and can be written into an indexed partition", async () => {
    const db = await open()
    await fill(db)
    const long = "ä".repeat(4000)
    await db.query({
      text: `UPDATE llm_requests SET raw_metadata = jsonb_build_object('User-Id', $1::text)
        WHERE id = (SELECT min(id::text) FROM llm_requests WHERE outcome <> 'gap')::uuid`,
      values: [long],
    })
    await activateName(db, USER)
    await backfillName(db, "User-Id", nothing)
    await insertOrdered(db, "2026-02-01T00:00:00Z", 500, 510, 1)
    await db.query({
      text: "UPDATE llm_requests SET raw_metadata = jsonb_build_object('User-Id', $1::text) WHERE response_time_ms = 505",
      values: [`${long}!`],
    })
    const period = { since: Date.parse("2026-01-01T00:00:00Z"), until: undefined, tz: "UTC" }
    for (const value of [long, `${long}!`, "ä".repeat(255), "3"]) {
      const question = {
        by: [findDimension("key")!, findDimension("User-Id")!],
        period,
        filters: { where: { "User-Id": value } },
      }
      const [indexed, plain] = [
        askUsage({ ...question, sort: "name" }, await readState(db)),
        askUsage({ ...question, sort: "name" }, NO_ROLLUPS),
      ]
      expect((await db.query(indexed)).rows).toEqual((await db.query(plain)).rows)
    }
  })

  test("the indexes of a name go with it, and those of its next activation are new", async () => {
    const db = await open()
    await fill(db)
    await activateName(db, USER)
    await backfillName(db, "User-Id", nothing)
    const made = await listIndexes(db)
    await dropIdleIndexes(db)
    expect(await listIndexes(db)).toEqual(made)
    await deactivateName(db, USER)
    await dropIdleIndexes(db)
    expect(await listIndexes(db)).toEqual([])
    expect((await db.query("SELECT FROM pg_statistic_ext WHERE stxname LIKE 'majordomo\\_name\\_%'")).rowCount).toBe(0)
    await insertOrdered(db, "2026-03-20T00:00:00Z", 301, 320, 1)
    await activateName(db, USER)
    expect(await backfillName(db, "User-Id", nothing)).toBe(320)
    await expectSameReports(db)
  })

  test("a name that is active for some keys only is no longer taken as indexed", async () => {
    const db = await open()
    await fill(db)
    await activateName(db, USER)
    await backfillName(db, "User-Id", nothing)
    const { rows } = await db.query<{ id: string }>(
      "INSERT INTO api_keys (key_hash, name) VALUES ('h', 'a') RETURNING id",
    )
    await activateName(db, { name: "User-Id", key: rows[0]!.id })
    await db.query("UPDATE llm_usage_metadata_names SET every_key = false WHERE name = 'User-Id'")
    await db.query("UPDATE llm_requests_metadata_keys SET is_active = is_active")
    await insertOrdered(db, new Date().toISOString(), 301, 320, 0)
    expect(await readName(db)).toMatchObject({ indexed: false, since: null })
    await expectSameReports(db)
  })

  test("writers of a large partition do not wait for its index", async () => {
    const db = await open()
    await fill(db)
    // Every partition counts as large, and this month's has requests of today.
    await insertOrdered(db, new Date(Date.now() - 3_600_000).toISOString(), 301, 320, 0)
    await activateName(db, USER)
    expect(await backfillName(db, "User-Id", nothing, { maxLockedBytes: 0 })).toBe(320)
    const { since } = await readName(db)
    const month = `${new Date().toISOString().slice(0, 7)}-01T00:00:00.000Z`
    // The embedded database has one connection, so it cannot build beside it: it changes the requests of the month.
    if (kind === "embedded") expect(since?.toISOString()).toBe(month)
    else expect(since!.getTime()).toBeGreaterThan(Date.parse(month))
    const { rows } = await db.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM llm_requests WHERE indexed_metadata ? 'User-Id'",
    )
    expect(rows[0]!.count).toBe(kind === "embedded" ? 20 : 0)
    await expectSameReports(db)
    await expectBalance(db)
    expect(await backfillName(db, "User-Id", nothing, { maxLockedBytes: 0 })).toBe(0)
  })
})

describeDatabases("the earlier days of a metadata name", (open) => {
  test("are counted from the newest one on, so that a run that was ended goes on, and reports use what is counted", async () => {
    const db = await open()
    await fill(db)
    await activateName(db, USER)
    const stop = backfillName(db, "User-Id", (done, total) => {
      if (done > total / 2) throw new Error("killed")
    })
    await expect(stop).rejects.toThrow("killed")
    const { summed, counted_from: from } = await readName(db)
    expect({ summed, isMiddle: from! > new Date("2026-01-10") && from! < new Date("2026-03-10") }).toEqual({
      summed: false,
      isMiddle: true,
    })
    const state = await readState(db)
    const question = (since: number) => ({
      by: [findDimension("User-Id")!],
      period: { since, until: undefined, tz: "UTC" },
      filters: {},
      sort: "name" as const,
    })
    for (const [since, isCounted] of [
      [from!.getTime(), true],
      [from!.getTime() + 5 * DAY_MS + 1234, true],
      [from!.getTime() - 1, false],
    ] as const) {
      expect(readsRollups(question(since), state)).toBe(isCounted)
      const [own, plain] = [askUsage(question(since), state), askUsage(question(since), NO_ROLLUPS)]
      expect((await db.query(own)).rows).toEqual((await db.query(plain)).rows)
    }
    // Requests of counted days and of others arrive before the next attempt.
    await insertOrdered(db, "2026-01-05T00:00:00Z", 301, 340, 40)
    await expectSameReports(db)
    await activateName(db, USER)
    const counted: number[] = []
    await backfillName(db, "User-Id", (_, total) => counted.push(total))
    const left = await db.query<{ count: number }>({
      text: "SELECT count(*)::int AS count FROM llm_requests WHERE outcome <> 'gap' AND created_at < $1",
      values: [from],
    })
    expect(counted[0]).toBe(left.rows[0]!.count)
    expect(await readName(db)).toMatchObject({ summed: true, counted_from: null })
    await expectSameReports(db)
    const { differences } = await verifyLedger(db, await makeDirectory(), { all: true })
    expect(differences).toEqual([])
  })

  test("are counted right while two gateways write requests of any of them", async () => {
    const db = await open()
    await fill(db)
    let next = 1000
    const write = async () => {
      next += 20
      const at = new Date(Date.parse("2026-01-01T00:00:00Z") + (next % 97) * DAY_MS).toISOString()
      await Promise.all([insertOrdered(db, at, next, next + 9, 3), insertOrdered(db, at, next + 10, next + 19, 2)])
    }
    await activateName(db, USER)
    await backfillName(db, "User-Id", () => write())
    await expectSameReports(db)
    await expectBalance(db)
  })
})
