import { describe, expect, test } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import { insertRows } from "../../src/database/ledger/insert.ts"
import {
  deleteLimit,
  findLimit,
  insertLimit,
  listLimits,
  type NewLimit,
  updateLimit,
} from "../../src/database/limits.ts"
import { prune } from "../../src/database/prune.ts"
import { describeDatabases } from "../support/databases.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { waitForBlocked } from "./_blocked.ts"
import { aRecord, connect, KEY_ID } from "./_ledger.ts"
import { verifyDatabase } from "./_verify.ts"

const NOW = Date.now()
const ISO = new Date(NOW).toISOString()

const aLimit = (changes: Partial<NewLimit> = {}): NewLimit => ({
  name: `limit ${crypto.randomUUID()}`,
  measure: "cost",
  amount: "50",
  window: "month",
  ...changes,
})
const aRow = (changes: Partial<LogRecord> = {}) =>
  aRecord({ id: crypto.randomUUID(), created_at: ISO, total_cost: "0.5", ...changes })

const write = (db: Database, ...rows: readonly LogRecord[]) =>
  insertRows(db.query, JSON.stringify(rows), { count: rows.length })

async function readUsage(db: Database, limit: string): Promise<Record<string, unknown>> {
  const { rows } = await db.query<{ value: string; used: unknown }>({
    text: `SELECT value, json_build_array(requests, input_tokens, output_tokens, trim_scale(cost)) AS used
      FROM llm_limit_usage WHERE limit_id = $1 ORDER BY value`,
    values: [limit],
  })
  return Object.fromEntries(rows.map(({ value, used }) => [value, used]))
}

describeDatabases("limits", (openNew) => {
  let shared: Promise<Database> | undefined
  /** Returns the one database of these tests, without limits and requests. */
  const open = async () => {
    shared ??= openNew()
    await (await shared).query("TRUNCATE llm_limits, llm_requests")
    return shared
  }

  test("are stored, found by id and name, changed and deleted", async () => {
    const db = await open()
    const full: NewLimit = {
      name: "Team search",
      measure: "cost",
      amount: "50.25",
      window: "month",
      tz: "Europe/Berlin",
      key: KEY_ID,
      provider: "openai",
      model: "gpt-5*",
      where: { Team: "search" },
      per: "User-Id",
      action: "warn",
      notifyAt: [50, 100],
      estimate: "maximum",
      unpriced: "block",
      source: "config",
    }
    const stored = await insertLimit(db.query, full)
    expect(stored).toEqual({ id: stored.id, ...full })
    const plain = await insertLimit(db.query, { name: "plain", measure: "requests", amount: "60", window: "minute" })
    expect(plain).toMatchObject({ tz: "UTC", action: "block", notifyAt: [], estimate: "expected", unpriced: "allow" })
    expect(await listLimits(db)).toEqual([stored, plain].sort((a, b) => (a.name < b.name ? -1 : 1)))
    expect(await findLimit(db, "Team search")).toEqual(stored)
    expect(await findLimit(db, stored.id)).toEqual(stored)
    expect(await findLimit(db, "none")).toBeUndefined()
    const changed = await updateLimit(db.query, stored.id, { amount: "60", where: undefined, per: undefined })
    expect(changed).toEqual({ ...stored, amount: "60", where: undefined, per: undefined })
    await expect(insertLimit(db.query, aLimit({ name: "plain" }))).rejects.toThrow(
      'there is already a limit with the name "plain"',
    )
    await expect(insertLimit(db.query, aLimit({ tz: "Mars/Base" }))).rejects.toThrow("does not know the time zone")
    expect(await deleteLimit(db.query, stored.id)).toEqual(changed)
    expect(await deleteLimit(db.query, stored.id)).toBeUndefined()
  })

  test("count the rows that meet all filters, by the value of `per`, and no gap or rejected request", async () => {
    const db = await open()
    const insert = (changes: Partial<NewLimit>) => insertLimit(db.query, aLimit(changes))
    const all = await insert({})
    const filtered = await insert({ key: KEY_ID, provider: "openai", model: "gpt-4o*", where: { Feature: "ch*" } })
    const asked = await insert({ model: "gpt-4o-mini" })
    const perUser = await insert({ per: "User-Id" })
    await write(
      db,
      aRow(),
      aRow({ provider: "anthropic", model: "claude", requested_model: undefined, raw_metadata: undefined }),
      aRow({ raw_metadata: { "User-Id": "u-2", Feature: "search" }, billing: "subscription" }),
      aRow({ outcome: "gap" }),
      aRow({ outcome: "rejected" }),
    )
    expect(await readUsage(db, all.id)).toEqual({ "": [3, 3000, 1500, 1] })
    expect(await readUsage(db, filtered.id)).toEqual({ "": [1, 1000, 500, 0.5] })
    expect(await readUsage(db, asked.id)).toEqual({ "": [2, 2000, 1000, 0.5] })
    expect(await readUsage(db, perUser.id)).toEqual({
      "": [1, 1000, 500, 0.5],
      "u-1": [1, 1000, 500, 0.5],
      "u-2": [1, 1000, 500, 0],
    })
  })

  test("that are created or changed over a running window count its rows", async () => {
    const db = await open()
    await write(db, aRow(), aRow({ created_at: "2020-01-01T00:00:00.000Z" }), aRow({ provider: "anthropic" }))
    const limit = await insertLimit(db.query, aLimit())
    expect(await readUsage(db, limit.id)).toEqual({ "": [2, 2000, 1000, 1] })
    await updateLimit(db.query, limit.id, { window: "total" })
    expect(await readUsage(db, limit.id)).toEqual({ "": [3, 3000, 1500, 1.5] })
    await updateLimit(db.query, limit.id, { provider: "openai", per: "Feature" })
    expect(await readUsage(db, limit.id)).toEqual({ chat: [2, 2000, 1000, 1] })
  })

  test("lose what they have used with all requests at once, and not with requests that are pruned", async () => {
    const db = await open()
    const OLD = "2026-03-01T10:00:00.000Z"
    const [total, perKey] = [
      await insertLimit(db.query, aLimit({ window: "total" })),
      aLimit({ window: "total", per: "key" }),
    ]
    await write(db, aRow({ created_at: OLD }), aRow({ created_at: OLD, majordomo_api_key_id: undefined }), aRow())
    await prune(db, { olderThan: NOW - 86_400_000, bodiesOnly: false })
    expect((await db.query("SELECT FROM llm_requests")).rowCount).toBe(1)
    await db.query("SELECT majordomo_count_again()")
    expect(await readUsage(db, total.id)).toEqual({ "": [3, 3000, 1500, 1.5] })

    // A limit without an end that is created later counts the pruned requests by their totals, if these can tell them apart.
    const later = await insertLimit(db.query, perKey)
    expect(await readUsage(db, later.id)).toEqual({ "": [1, 1000, 500, 0.5], [KEY_ID]: [2, 2000, 1000, 1] })
    const named = await insertLimit(db.query, aLimit({ window: "total", where: { Feature: "chat" } }))
    expect(await readUsage(db, named.id)).toEqual({ "": [1, 1000, 500, 0.5] })
    expect((await verifyDatabase(db)).differences).toEqual([])

    await db.query("TRUNCATE llm_requests")
    expect(await readUsage(db, total.id)).toEqual({})
  })

  test("forget windows of minutes after two days, and count no late request of them", async () => {
    const db = await open()
    const limit = await insertLimit(db.query, aLimit({ window: "minute" }))
    await db.query({ text: "UPDATE llm_limits SET counted_since = $1", values: [new Date(NOW - 9 * 86_400_000)] })
    const daysAgo = (days: number) => aRow({ created_at: new Date(NOW - days * 86_400_000).toISOString() })
    await write(db, daysAgo(8), daysAgo(1))
    await db.query("SELECT majordomo_trim_limits()")
    await write(db, daysAgo(7))
    const { rows } = await db.query({
      text: "SELECT count(*)::int AS windows FROM llm_limit_usage WHERE limit_id = $1",
      values: [limit.id],
    })
    expect(rows).toEqual([{ windows: 1 }])
    expect((await verifyDatabase(db, { all: true })).differences).toEqual([])
  })

  test("are told to gateways when they change, and not when they are counted", async () => {
    const db = await open()
    const heard: string[] = []
    const listener = await db.listen("majordomo_keys", { onNotify: (text) => heard.push(text), onState: () => {} })
    const { id } = await insertLimit(db.query, aLimit())
    await write(db, aRow())
    await db.query("UPDATE llm_limits SET counted_since = now()")
    await updateLimit(db.query, id, { amount: "7" })
    await deleteLimit(db.query, id)
    await db.query("SELECT pg_notify('majordomo_keys', 'last')")
    await expect.poll(() => heard.at(-1)).toBe("last")
    expect(heard).toEqual(["limits", "limits", "limits", "last"])
    await listener.close()
  })
})

describe("a limit and a batch at the same time (postgres)", () => {
  /** Runs `first` in a transaction that ends only when `second` waits for it. */
  async function inOrder<A, B>(first: (query: Database["query"]) => Promise<A>, second: (db: Database) => Promise<B>) {
    const { url } = await createTestDatabase()
    const [db, other] = [await connect(url), await connect(url)]
    const [a, b] = await db.transaction(async (query) => {
      const done = await first(query)
      const waiting = second(other)
      await waitForBlocked(other)
      return [done, [waiting]] as const // in an array, so that the transaction does not wait for it
    })
    return { db, a, b: await b[0] }
  }
  const writeRow = (query: Database["query"]) => insertRows(query, JSON.stringify([aRow()]), { count: 1 })

  test("the batch is counted once, whichever comes first", async () => {
    const batchFirst = await inOrder(writeRow, (db) => insertLimit(db.query, aLimit()))
    expect(await readUsage(batchFirst.db, batchFirst.b.id)).toEqual({ "": [1, 1000, 500, 0.5] })
    const limitFirst = await inOrder(
      (query) => insertLimit(query, aLimit()),
      (db) => writeRow(db.query),
    )
    expect(await readUsage(limitFirst.db, limitFirst.a.id)).toEqual({ "": [1, 1000, 500, 0.5] })
  })

  test("the batch is counted by the limit as it is after a change, and not after its deletion", async () => {
    const { url } = await createTestDatabase()
    const [db, other] = [await connect(url), await connect(url)]
    const { id } = await insertLimit(db.query, aLimit())
    await writeRow(db.query)
    const during = (change: (query: Database["query"]) => Promise<unknown>) =>
      db.transaction(async (query) => {
        await change(query)
        const waiting = writeRow(other.query)
        await waitForBlocked(db)
        return [waiting] as const
      })
    await (await during((query) => updateLimit(query, id, { per: "User-Id", window: "day" })))[0]
    expect(await readUsage(db, id)).toEqual({ "u-1": [2, 2000, 1000, 1] })
    await (await during((query) => deleteLimit(query, id)))[0]
    expect(await readUsage(db, id)).toEqual({})
  })
})
