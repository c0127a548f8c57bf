import { expect, test } from "vitest"
import { readMigrations } from "../../build/schema/migrations.ts"
import { getKey, updateKey } from "../../src/database/keys.ts"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"

const KEY = "a0000000-0000-4000-8000-000000000001"
/** The version before the migration, whatever its number is. */
const BEFORE = readMigrations("migrations").find(({ name }) => name === "attribution")!.version - 1

describePostgresFirst("a database of the version before attribution", (open) => {
  test("sums requests by Client from the migration on, indexes its runs, and its keys can have metadata", async () => {
    const db = await open({ empty: true })
    await migrate(db, undefined, makeOlderScript(BEFORE))
    const insert = (metadata: string) =>
      db.query(`INSERT INTO llm_requests (majordomo_api_key_id, provider, model, request_path, request_method, requested_at,
          responded_at, response_time_ms, status_code, total_cost, cost_status, raw_metadata)
        SELECT '${KEY}', 'openai', 'gpt-4o', '/v1/responses', 'POST', now(), now(), n, 200, 0.25, 'exact', '${metadata}'
        FROM generate_series(1, 20) n`)
    await db.query(`INSERT INTO api_keys (id, key_hash, name) VALUES ('${KEY}', 'h', 'Development')`)
    await insert('{"User-Id": "ada", "Session-Id": "s-1"}')

    expect((await migrate(db)).did).toBe("updated")
    const names = await db.query("SELECT name, every_key, summed, indexed FROM llm_usage_metadata_names ORDER BY name")
    expect(names.rows).toEqual([{ name: "Client", every_key: true, summed: true, indexed: true }])
    await insert('{"User-Id": "ada", "Client": "codex/0.153"}')
    const sums = await db.query("SELECT name, value, requests::int FROM llm_usage_metadata ORDER BY name")
    expect(sums.rows).toEqual([{ name: "Client", value: "codex/0.153", requests: 20 }])
    expect(await getKey(db, KEY)).toMatchObject({ metadata: undefined, requestCount: 40 })
    const changed = await updateKey(db, KEY, { required_metadata: ["team"], default_metadata: { feature: "search" } })
    expect(changed.metadata).toEqual({ defaults: { Feature: "search" }, locked: {}, required: ["Team"] })
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
  })
})
