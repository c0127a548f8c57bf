import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import type { CostLine } from "../../src/core/cost.ts"
import type { Database } from "../../src/database/_database.ts"
import { INSERT_ROWS } from "../../src/database/ledger/insert.ts"
import { migrate } from "../../src/database/schema.ts"
import { describeDatabases } from "../support/databases.ts"
import { aRecord } from "./_ledger.ts"
import { describeSchema } from "./_schemas.ts"
import { expectBalance } from "./_verify.ts"

const read = (name: string) => readFileSync(new URL(`../fixtures/${name}.sql`, import.meta.url), "utf8")
const ROWS = `SELECT provider, model, requested_model, input_cost, output_cost, total_cost, cost_status, raw_metadata, indexed_metadata, s3_key
  FROM llm_requests ORDER BY created_at`

/** Statements of its second version: its command line, its dashboards and its README ask in this way. */
const STATEMENTS = [
  "SELECT model, sum(input_cost + cached_cost + cache_creation_cost + output_cost) AS cost FROM llm_requests_compat GROUP BY model ORDER BY model",
  "SELECT raw_metadata ->> 'user-id' AS name, sum(total_cost) AS cost FROM llm_requests_compat WHERE raw_metadata ? 'user-id' GROUP BY 1 ORDER BY 1",
  "SELECT indexed_metadata ->> 'user-id' AS name, count(*) FROM llm_requests_compat GROUP BY 1 ORDER BY 1",
  "SELECT trace_id, span_path, span_name, span_id, parent_span_id, body_s3_key FROM llm_requests_compat WHERE trace_id IS NOT NULL",
  `SELECT k.name, count(*), sum(r.cached_tokens) AS cached FROM llm_requests_compat r JOIN api_keys_compat k ON k.id = r.majordomo_api_key_id
    WHERE NOT r.deprecated_model_redirected GROUP BY 1`,
  "SELECT key_name, is_active, approx_cardinality FROM llm_requests_metadata_keys_compat",
  "SELECT count(*) FILTER (WHERE NOT model_alias_found) AS unknown, sum(cache_creation_5m_tokens), sum(cache_creation_1h_tokens) FROM llm_requests_compat",
]

async function upgrade(db: Database, name: string): Promise<void> {
  await db.query(read(name))
  expect((await migrate(db)).did).toBe("upgraded from the Go gateway")
}

describeDatabases("a database of the Go gateway", (open) => {
  test.each(["go-first", "go-second"])("%s: has all of a new one", async (name) => {
    const [db, fresh] = [await open({ empty: true }), await open()]
    await upgrade(db, name)
    const found = await describeSchema(db)
    expect((await describeSchema(fresh)).filter((line) => !found.includes(line))).toEqual([])
    await expectBalance(db)
  })

  test("of the first version keeps its rows, and names of metadata become those of reports", async () => {
    const db = await open({ empty: true })
    await upgrade(db, "go-first")
    expect((await db.query(ROWS)).rows).toMatchObject([
      {
        model: "gpt-4o",
        input_cost: "0.002000000000",
        total_cost: "0.007000000000",
        cost_status: "estimated",
        raw_metadata: { "User-Id": "anna", Feature: "search" },
        indexed_metadata: { "User-Id": "anna" },
        s3_key: "a/b.json.gz",
      },
      { model: "unheard-of", cost_status: "unpriced", raw_metadata: { "User-Id": "ben" } },
    ])
    expect(
      (await db.query("SELECT value, requests FROM llm_usage_metadata WHERE name = 'User-Id' ORDER BY value")).rows,
    ).toEqual([
      { value: "anna", requests: "1" },
      { value: "ben", requests: "1" },
    ])
    expect((await db.query("SELECT proxy_key_id, user_id FROM llm_requests WHERE user_id IS NOT NULL")).rowCount).toBe(
      1,
    )
  })

  test("of the second version keeps its rows, with the costs of caches in the cost of input, and its runs", async () => {
    const db = await open({ empty: true })
    await upgrade(db, "go-second")
    expect((await db.query(ROWS)).rows).toMatchObject([
      {
        model: "claude-sonnet-4-6",
        requested_model: "sonnet",
        input_cost: "0.002120000000",
        output_cost: "0.007500000000",
        total_cost: "0.009620000000",
        raw_metadata: {
          "User-Id": "anna",
          Feature: "search",
          "Trace-Id": "trace-1",
          "Span-Path": "plan/tool:search",
          "Span-Name": "lookup",
        },
      },
      { model: "unheard-of", cost_status: "unpriced" },
    ])
    expect((await db.query("SELECT provider, encrypted_key FROM go_provider_api_keys")).rows).toEqual([
      { provider: "openai", encrypted_key: "encrypted" },
    ])
    expect((await db.query("SELECT * FROM provider_api_keys")).rows).toEqual([])
  })

  test("statements that were written for its second version run, with the same results", async () => {
    const [before, db] = [await open({ empty: true }), await open({ empty: true })]
    await before.query(read("go-second"))
    await upgrade(db, "go-second")
    const run = async (database: Database, statement: string) =>
      JSON.parse(JSON.stringify((await database.query(statement)).rows).replace(/(\.\d*?)0+"/g, '$1"'))
    for (const statement of STATEMENTS) {
      const expected = await run(before, statement.replaceAll("_compat", ""))
      // The Go gateway does not say that it knew no price, except by a cost of 0.
      const wanted = statement.includes("model_alias_found")
        ? expected.map((row: object) => ({ ...row, unknown: "1" }))
        : expected
      expect(await run(db, statement), statement).toEqual(wanted)
    }
  })

  test("the views show rows of this gateway, whose unknown costs are NULL", async () => {
    const db = await open()
    const lines = [
      {
        side: "input",
        model: "gpt-4o",
        bucket: "input",
        quantity: 600,
        rate: "0.15",
        per: "million",
        factor: "1",
        amount: "0.00009",
        source: "x",
      },
      {
        side: "input",
        model: "gpt-4o",
        bucket: "cacheRead",
        quantity: 400,
        rate: "0.075",
        per: "million",
        factor: "1",
        amount: "0.00003",
        source: "x",
      },
    ] satisfies CostLine[]
    const priced = aRecord({ price: { lines: [...lines] }, raw_metadata: { "User-Id": "anna" } })
    const unpriced = aRecord({
      input_cost: undefined,
      output_cost: undefined,
      total_cost: undefined,
      cost_status: "unpriced",
      price: undefined,
      raw_metadata: undefined,
    })
    await db.query({ text: INSERT_ROWS, values: [JSON.stringify([priced, unpriced])] })
    const columns =
      "trim_scale(input_cost) AS input, trim_scale(cached_cost) AS cached, trim_scale(cache_creation_cost) AS written, total_cost IS NULL AS unknown"
    expect(
      (
        await db.query(
          `SELECT ${columns}, raw_metadata, model_alias_found FROM llm_requests_compat ORDER BY total_cost`,
        )
      ).rows,
    ).toEqual([
      {
        input: "0.00009",
        cached: "0.00003",
        written: "0",
        unknown: false,
        raw_metadata: { "user-id": "anna" },
        model_alias_found: true,
      },
      { input: null, cached: null, written: null, unknown: true, raw_metadata: null, model_alias_found: false },
    ])
  })
})
