import { readdirSync, readFileSync } from "node:fs"
import { beforeAll, describe, expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { openPostgres } from "../../src/database/open.ts"
import { migrate } from "../../src/database/schema.ts"
import { readSchemaState } from "../../src/database/schema-state.ts"
import { verifyLedger } from "../../src/database/verify.ts"
import { describeDatabases, postgresAt } from "../support/databases.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { makeDirectory } from "./_ledger.ts"
import { describeSchema, VERSION } from "./_schemas.ts"

const SCHEMAS = new URL("../fixtures/schemas/", import.meta.url)
/** Each schema.sql from before versions existed, in the order of time. */
const FILES = readdirSync(SCHEMAS).sort()
const GO_DATABASE = readFileSync(new URL("../fixtures/go-schema.sql", import.meta.url), "utf8")

const KEY = "a0000000-0000-4000-8000-000000000001"
/** Sixty requests over ten days, by a key and without one, some of them with an error, without a price, or streamed. */
const ROWS = `
  INSERT INTO api_keys (id, key_hash, name) VALUES ('${KEY}', 'hash', 'Development') ON CONFLICT DO NOTHING;
  INSERT INTO llm_requests (id, majordomo_api_key_id, provider, model, request_path, request_method, requested_at, responded_at,
    response_time_ms, status_code, input_tokens, output_tokens, input_cost, total_cost, cost_status, usage_source, raw_metadata, created_at)
  SELECT ('b0000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, CASE WHEN n % 3 > 0 THEN '${KEY}'::uuid END, 'openai', 'm' || n % 2,
    '/v1/chat/completions', 'POST', at, at, n, CASE WHEN n % 7 = 0 THEN 500 ELSE 200 END, n * 10, n, n * 0.000000000001,
    CASE WHEN n % 5 > 0 THEN n * 0.000000000001 END, CASE WHEN n % 5 > 0 THEN 'exact' ELSE 'unpriced' END, 'reported',
    jsonb_build_object('User-Id', 'u' || n % 4), at
  FROM (SELECT n, '2026-10-01T00:30:00Z'::timestamptz + make_interval(hours => n * 4) AS at FROM generate_series(FIRST, LAST) n) rows;`
const rows = (first: number, last: number) => ROWS.replace("FIRST", String(first)).replace("LAST", String(last))

/** The first schema had no triggers, so the requests of its time are not counted for their keys. */
const NOT_COUNTED_BY_KEY = [
  "llm_requests ORDER BY id",
  "llm_usage_hourly ORDER BY hour, provider, model",
  "llm_usage_hourly_keys ORDER BY hour, majordomo_api_key_id",
  "llm_usage_daily ORDER BY day, majordomo_api_key_id, provider, model",
]
const TABLES = [
  ...NOT_COUNTED_BY_KEY,
  "api_keys ORDER BY id",
  "llm_requests_metadata_keys ORDER BY majordomo_api_key_id, key_name",
]

/** The content of a table; without times that depend on when it was written. */
async function read(db: Database, table: string): Promise<unknown[]> {
  const text = `SELECT to_jsonb(t) - ARRAY['created_at', 'updated_at', 'activated_at'] AS row FROM (SELECT * FROM ${table}) t`
  return (await db.query(text)).rows
}

describeDatabases(
  "a database from before versions existed comes to the present version with its rows",
  (open, kind) => {
    let fresh: Database
    beforeAll(async () => {
      fresh = await open()
      await fresh.query(rows(1, 60))
    })

    // The embedded engine takes seconds to start, so only the oldest and the newest are tried on it.
    test.each(kind === "postgres" ? FILES : [FILES[0]!, FILES.at(-1)!])("%s", async (file) => {
      const db = await open({ empty: true })
      await db.query(readFileSync(new URL(file, SCHEMAS), "utf8"))
      await db.query(rows(1, 40))
      expect(await readSchemaState(db.query)).toEqual({ kind: "older", version: 0 })

      expect(await migrate(db)).toEqual({ did: "updated", rowsKept: 0 })
      expect(await readSchemaState(db.query)).toEqual({ kind: "current", version: VERSION })
      expect(await describeSchema(db)).toEqual(await describeSchema(fresh))

      await db.query(rows(41, 60))
      for (const table of file === FILES[0] ? NOT_COUNTED_BY_KEY : TABLES) {
        expect(await read(db, table), table).toEqual(await read(fresh, table))
      }
      expect(await verifyLedger(db, await makeDirectory())).toMatchObject({ written: 60, differences: [] })
      // The program from before versions takes the schema for its own, and so does nothing to it.
      expect((await db.query("SELECT digest FROM majordomo_schema")).rows).toEqual([{ digest: TODAY }])
    })
  },
)

/** SHA-256 of the last schema.sql without a version, by which its program recognizes it. */
const TODAY = "e03f6016578e65cb48da70fe618a5c4f001201019d5dc2c7741228765f882202"

describe("what upgraded schemas have", () => {
  const open = async (...scripts: readonly string[]): Promise<Database> => {
    const { url } = await createTestDatabase({ empty: true })
    const db = await openPostgres(postgresAt(url).postgres)
    for (const script of scripts) await db.query(script)
    return db
  }

  test("a database of the Go gateway has all of a new one, and keeps what the Go gateway added", async () => {
    const [upgraded, fresh] = [await open(GO_DATABASE), await open()]
    await migrate(upgraded)
    await migrate(fresh)
    const wanted = await describeSchema(fresh)
    const found = await describeSchema(upgraded)
    expect(wanted.filter((line) => !found.includes(line))).toEqual([])
    expect(found.filter((line) => !wanted.includes(line))).toMatchInlineSnapshot(`
      [
        "CREATE INDEX idx_api_keys_hash ON public.api_keys USING btree (key_hash) WHERE (is_active = true)",
        "CREATE UNIQUE INDEX claude_request_details_llm_request_id_key ON public.claude_request_details USING btree (llm_request_id)",
        "CREATE UNIQUE INDEX claude_request_details_pkey ON public.claude_request_details USING btree (id)",
        "column claude_request_details.id uuid t gen_random_uuid()",
        "column claude_request_details.llm_request_id uuid t ",
        "column claude_request_details.message_count integer t 0",
        "column llm_requests.model_alias_found boolean t true",
        "column llm_requests_metadata_keys.hll_state bytea f ",
        "column llm_requests_metadata_keys.hll_updated_at timestamp with time zone f ",
        "constraint claude_request_details.claude_request_details_llm_request_id_key UNIQUE (llm_request_id)",
        "constraint claude_request_details.claude_request_details_pkey PRIMARY KEY (id)",
      ]
    `)
    await Promise.all([upgraded.close(), fresh.close()])
  })

  test("indexes and triggers of our names with other definitions become ours", async () => {
    const latest = readFileSync(new URL(FILES.at(-1)!, SCHEMAS), "utf8")
    const changed = `
      DROP INDEX idx_llm_requests_created_at; CREATE INDEX idx_llm_requests_created_at ON llm_requests (created_at, id);
      DROP TRIGGER majordomo_added ON llm_requests;
      CREATE TRIGGER majordomo_added AFTER INSERT ON llm_requests FOR EACH ROW EXECUTE FUNCTION majordomo_tell_all_keys();
      CREATE OR REPLACE FUNCTION majordomo_only_add() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';`
    const [upgraded, fresh] = [await open(latest, changed), await open()]
    await migrate(upgraded)
    await migrate(fresh)
    expect(await describeSchema(upgraded)).toEqual(await describeSchema(fresh))
    await Promise.all([upgraded.close(), fresh.close()])
  })
})
