import { expect, test } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import { type LeaseItem, lease } from "../../src/database/leases.ts"
import { insertRows } from "../../src/database/ledger/insert.ts"
import {
  deleteLimit,
  findLimit,
  insertLimit,
  listLimits,
  type NewLimit,
  readLimitStates,
  updateLimit,
} from "../../src/database/limits.ts"
import { describeDatabases } from "../support/databases.ts"
import { aRecord, KEY_ID } from "./_ledger.ts"

const NOW = Date.now()
const ISO = new Date(NOW).toISOString()
const GATEWAY = "0197a000-0000-7000-8000-00000000000a"

const aLimit = (changes: Partial<NewLimit> = {}): NewLimit => ({
  name: `limit ${crypto.randomUUID()}`,
  measure: "cost",
  amount: "50",
  window: "month",
  ...changes,
})
const aRow = (changes: Partial<LogRecord> = {}) => aRecord({ created_at: ISO, total_cost: "0.5", ...changes })

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

describeDatabases("limits", (open) => {
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
})

const item = (limit: string, changes: Partial<LeaseItem> = {}): LeaseItem => ({
  limit,
  value: "",
  holding: "0",
  in_use: "0",
  wanted: "0",
  least: "0",
  ...changes,
})

describeDatabases("leases", (open) => {
  test("are granted up to what is left, in parts", async () => {
    const db = await open()
    await write(db, aRow({ total_cost: "10" }))
    const { id } = await insertLimit(db.query, aLimit({ amount: "50" }))
    const ask = (items: readonly LeaseItem[], gateway = GATEWAY) =>
      lease(db, { gateway, slot: "host:1", at: NOW, items })
    const [first] = await ask([item(id, { wanted: "20", least: "1" })])
    expect(first).toMatchObject({
      limit: id,
      value: "",
      granted: "5",
      used: "10",
      leased: "5",
      idle: "0",
      amount: "50",
    })
    const [state] = await readLimitStates(db, { at: NOW })
    expect(state).toMatchObject({ value: "", used: "10", reserved: "5", remaining: "35" })
  })
})
