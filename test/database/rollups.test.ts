import { randomUUID } from "node:crypto"
import { expect, test } from "vitest"
import type { LogRecord } from "../../src/core/log-record.ts"
import type { Database } from "../../src/database/_database.ts"
import { insertRows } from "../../src/database/ledger/insert.ts"
import { toLine } from "../../src/database/ledger/serialize.ts"
import { describeDatabases } from "../support/databases.ts"
import { aRecord } from "./_ledger.ts"

const COLUMNS = `id uuid, majordomo_api_key_id uuid, provider text, model text, request_path text, request_method text,
  requested_at timestamptz, responded_at timestamptz, response_time_ms int, status_code int, input_tokens bigint,
  output_tokens bigint, total_cost numeric, cost_status text, raw_metadata jsonb, created_at timestamptz`
const NAMES = COLUMNS.replace(/(\w+) \w+(?=,|$)/g, "$1")

interface Row {
  readonly [column: string]: unknown
}

let keyId = ""

async function openWithKey(open: () => Promise<Database>): Promise<Database> {
  const db = await open()
  const { rows } = await db.query<{ id: string }>(
    "INSERT INTO api_keys (key_hash, name) VALUES ('h', 'k') RETURNING id",
  )
  keyId = rows[0]!.id
  return db
}

function row(more: Row = {}): Row {
  const at = "2026-03-01T10:30:00Z"
  return {
    id: randomUUID(),
    majordomo_api_key_id: keyId,
    provider: "openai",
    model: "gpt-4o-mini",
    request_path: "/v1/chat/completions",
    request_method: "POST",
    requested_at: at,
    responded_at: at,
    response_time_ms: 100,
    status_code: 200,
    input_tokens: 1000,
    output_tokens: 500,
    total_cost: "0.000435",
    cost_status: "exact",
    created_at: at,
    ...more,
  }
}

function write(db: Database, rows: readonly Row[]) {
  return db.query({
    text: `INSERT INTO llm_requests (${NAMES}) SELECT ${NAMES} FROM json_to_recordset($1::json) AS r (${COLUMNS}) ON CONFLICT (id) DO NOTHING`,
    values: [JSON.stringify(rows)],
  })
}

const all = async (db: Database, sql: string) => (await db.query(sql)).rows

/** What the rollups must be, computed from the requests. */
const FROM_ROWS = `SELECT count(*) AS requests, count(*) FILTER (WHERE status_code >= 400) AS errors, sum(input_tokens) AS input_tokens,
  coalesce(sum(total_cost), 0) + 0.000000000000 AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
  count(*) FILTER (WHERE cost_status = 'exact') AS exact, count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced FROM llm_requests`
const fromRollups = (
  table: string,
) => `SELECT sum(requests) AS requests, sum(errors) AS errors, sum(input_tokens) AS input_tokens,
  sum(total_cost) + 0.000000000000 AS total_cost, sum(without_cost) AS without_cost, sum(exact) AS exact, sum(unpriced) AS unpriced FROM ${table}`

async function expectRollupsOfRows(db: Database): Promise<void> {
  const expected = await all(db, FROM_ROWS)
  expect(await all(db, fromRollups("llm_usage_hourly"))).toEqual(expected)
  expect(await all(db, fromRollups("llm_usage_hourly_keys"))).toEqual(expected)
  expect(await all(db, fromRollups("llm_usage_daily"))).toEqual(expected)
}

describeDatabases("rollups", (open) => {
  test("equal the sum of the requests, by hour, provider and model, and by day, key, provider and model", async () => {
    const db = await openWithKey(open)
    await write(db, [
      row(),
      row({ model: "gpt-4o", created_at: "2026-03-01T23:59:59Z" }),
      row({ total_cost: null, cost_status: "unpriced", created_at: "2026-03-02T00:00:00Z" }),
      row({ status_code: 500, input_tokens: 0, total_cost: "0", cost_status: "free", majordomo_api_key_id: null }),
    ])
    await write(db, [row(), row({ created_at: "2026-03-01T10:59:59+01:00" })])
    await expectRollupsOfRows(db)
    expect(await all(db, "SELECT model, requests FROM llm_usage_hourly ORDER BY hour, requests, model")).toEqual([
      { model: "gpt-4o-mini", requests: "1" },
      { model: "gpt-4o-mini", requests: "3" },
      { model: "gpt-4o", requests: "1" },
      { model: "gpt-4o-mini", requests: "1" },
    ])
    expect(
      await all(
        db,
        "SELECT count(DISTINCT day)::int AS days, count(DISTINCT majordomo_api_key_id)::int AS keys FROM llm_usage_daily",
      ),
    ).toEqual([{ days: 2, keys: 2 }])
  })

  test("a batch that is sent again adds nothing, and a batch that is partly new adds its new rows", async () => {
    const db = await openWithKey(open)
    const batch = [row(), row({ raw_metadata: { "User-Id": "42" } })]
    await write(db, batch)
    await write(db, batch)
    await write(db, [...batch, row()])
    await expectRollupsOfRows(db)
    expect(await all(db, "SELECT request_count, last_used_at IS NOT NULL AS used FROM api_keys")).toEqual([
      { request_count: "3", used: true },
    ])
    expect(await all(db, "SELECT key_name, request_count, is_active FROM llm_requests_metadata_keys")).toEqual([
      { key_name: "User-Id", request_count: "1", is_active: false },
    ])
  })

  test("a request whose cost changes counts with its new cost; a deleted request still counts", async () => {
    const db = await openWithKey(open)
    await write(db, [row(), row({ total_cost: null, cost_status: "unpriced" })])
    await db.query("UPDATE llm_requests SET total_cost = 2, cost_status = 'exact' WHERE cost_status = 'unpriced'")
    await expectRollupsOfRows(db)
    await db.query("UPDATE llm_requests SET model = 'another', s3_key = 'x'")
    await expectRollupsOfRows(db)
    const before = await all(db, fromRollups("llm_usage_daily"))
    await db.query("DELETE FROM llm_requests")
    expect(await all(db, fromRollups("llm_usage_daily"))).toEqual(before)
  })

  test("[AUT-15] an active metadata name is indexed and counted by value, an inactive one is not", async () => {
    const db = await openWithKey(open)
    await db.query({
      text: "INSERT INTO llm_requests_metadata_keys (majordomo_api_key_id, key_name, is_active) VALUES ($1, 'User-Id', true)",
      values: [keyId],
    })
    const metadata = (user: string) => row({ raw_metadata: { "User-Id": user, Feature: "chat" } })
    await write(db, [metadata("42"), metadata("42"), metadata("7"), row()])
    expect(
      await all(db, "SELECT name, value, requests, total_cost::float AS usd FROM llm_usage_metadata ORDER BY value"),
    ).toEqual([
      { name: "User-Id", value: "42", requests: "2", usd: 0.00087 },
      { name: "User-Id", value: "7", requests: "1", usd: 0.000435 },
    ])
    expect(
      await all(db, `SELECT indexed_metadata FROM llm_requests WHERE indexed_metadata @> '{"User-Id": "7"}'`),
    ).toEqual([{ indexed_metadata: { "User-Id": "7" } }])
  })

  test("the gateway's own rows are indexed by their INSERT, and the trigger of other programs' rows does not run for them", async () => {
    const db = await openWithKey(open)
    await db.query({
      text: "INSERT INTO llm_requests_metadata_keys (majordomo_api_key_id, key_name, is_active) VALUES ($1, 'User-Id', true)",
      values: [keyId],
    })
    const client = "codex/0.153"
    const metadata: LogRecord["raw_metadata"][] = [
      { "User-Id": "7", Client: client, Feature: "chat" },
      { Feature: "chat" },
      undefined,
    ]
    const records = metadata.map((raw_metadata) => aRecord({ majordomo_api_key_id: keyId, raw_metadata }))
    records.push(aRecord({ majordomo_api_key_id: undefined, raw_metadata: { "User-Id": "8", Client: client } }))
    await write(
      db,
      records.map((record) => ({ ...record })),
    ) // the trigger runs
    await db.query(`CREATE OR REPLACE FUNCTION majordomo_index_metadata() RETURNS trigger LANGUAGE plpgsql
      AS $$ BEGIN RAISE EXCEPTION 'the trigger ran'; END $$`)
    const own = records.map((record) => ({ ...record, id: randomUUID() }))
    await insertRows(db.query, `[${own.map((record) => toLine(record)).join()}]`, { count: own.length })
    await expect(write(db, [row({ raw_metadata: { Feature: "chat" } })])).rejects.toThrow("the trigger ran")
    const read = async (rows: readonly LogRecord[]) => {
      const ids = rows.map(({ id }) => `'${id}'`).join()
      const found = await all(
        db,
        `SELECT indexed_metadata FROM llm_requests WHERE id IN (${ids}) ORDER BY created_at, raw_metadata::text`,
      )
      return found.map((each) => each["indexed_metadata"])
    }
    const found = await read(own)
    expect(found).toContainEqual({ "User-Id": "7", Client: client })
    expect(found).toContainEqual({ Client: client })
    expect(found.map((value) => (JSON.stringify(value) === "{}" ? null : value))).toEqual(await read(records))
  })

  test("the values of a name are bounded per day: further values count as (other), and nothing is lost", async () => {
    const db = await openWithKey(open)
    await db.query({
      text: "INSERT INTO llm_requests_metadata_keys (majordomo_api_key_id, key_name, is_active) VALUES ($1, 'User-Id', true)",
      values: [keyId],
    })
    const users = (from: number, to: number) =>
      write(
        db,
        Array.from({ length: to - from }, (_, n) => row({ raw_metadata: { "User-Id": `u${from + n}` } })),
      )
    for (let from = 0; from < 9_000; from += 3_000) await users(from, from + 3_000)
    await users(8_000, 10_000)
    await users(10_000, 12_000)
    await users(0, 10)
    expect(
      await all(db, "SELECT count(*)::int AS cells, sum(requests)::int AS requests FROM llm_usage_metadata"),
    ).toEqual([{ cells: 10_001, requests: 13_010 }])
    expect(await all(db, "SELECT requests::int FROM llm_usage_metadata WHERE value = '(other)'")).toEqual([
      { requests: 2_000 },
    ])
    expect(await all(db, "SELECT requests::int FROM llm_usage_metadata WHERE value = 'u5'")).toEqual([{ requests: 2 }])
  })

  test("[DAT-15] absurd values do not make a row fail: long names, huge counts, metadata that is not an object, a deleted key", async () => {
    const db = await openWithKey(open)
    const long = "長".repeat(20_000)
    await db.query({
      text: "INSERT INTO llm_requests_metadata_keys (majordomo_api_key_id, key_name, is_active) VALUES ($1, 'N', true)",
      values: [keyId],
    })
    const rows = [
      row({ model: long, provider: long, raw_metadata: { [long]: long, N: long } }),
      row({ model: `${long}x`, provider: long }),
      ...Array.from({ length: 3 }, () =>
        row({ input_tokens: "9223372036854775807", total_cost: "99999999.999999999999" }),
      ),
      row({ raw_metadata: [1, "N"] }),
      row({ raw_metadata: "N" }),
      row({ majordomo_api_key_id: randomUUID(), raw_metadata: { a: "b" } }),
      row({ created_at: "0001-01-01T00:00:00Z" }),
    ]
    await write(db, rows)
    expect(await all(db, "SELECT count(*)::int AS rows FROM llm_requests")).toEqual([{ rows: rows.length }])
    await expectRollupsOfRows(db)
  })

  test("can be rebuilt from the requests, from a given day on", async () => {
    const db = await openWithKey(open)
    await write(db, [row(), row({ created_at: "2026-03-05T12:00:00Z" })])
    const before = await all(db, "SELECT * FROM llm_usage_daily ORDER BY day")
    await db.query("UPDATE llm_usage_daily SET requests = 99; UPDATE llm_usage_hourly SET requests = 99")
    await db.query("SELECT majordomo_count_again('2026-03-05T18:00:00Z')")
    expect(await all(db, "SELECT requests FROM llm_usage_daily ORDER BY day")).toEqual([
      { requests: "99" },
      { requests: "1" },
    ])
    await db.query("SELECT majordomo_count_again()")
    expect(await all(db, "SELECT * FROM llm_usage_daily ORDER BY day")).toEqual(before)
    await expectRollupsOfRows(db)
  })

  test("[PGF-11] concurrent writers lose no count and do not deadlock", async () => {
    const db = await openWithKey(open)
    const models = ["a", "b", "c", "d", "e"]
    const batches = Array.from({ length: 24 }, (_, n) =>
      Array.from({ length: 20 }, (_, i) => row({ model: models[(n % 2 ? i : 19 - i) % 5] })),
    )
    await Promise.all(batches.map((batch) => write(db, batch)))
    await expectRollupsOfRows(db)
    expect(await all(db, "SELECT request_count FROM api_keys")).toEqual([{ request_count: "480" }])
  })
})
