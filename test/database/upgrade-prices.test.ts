import { expect, test } from "vitest"
import { hashKey } from "../../src/core/key.ts"
import { findCaller } from "../../src/database/key-lookups.ts"
import { getKey, updateKey } from "../../src/database/keys.ts"
import { createPriceHistoryStore } from "../../src/database/price-history.ts"
import { migrate } from "../../src/database/schema.ts"
import { readSchemaState } from "../../src/database/schema-state.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, makeOlderScript, VERSION } from "./_schemas.ts"

const KEY = "a0000000-0000-4000-8000-000000000001"
const SECRET = "mdm_sk_0123456789abcdefghij"

describePostgresFirst("a database of version 2", (open) => {
  test("gets the history of prices and the discounts of keys, and keeps its keys, requests and totals", async () => {
    const db = await open({ empty: true })
    await migrate(db, undefined, makeOlderScript(2))
    expect(await readSchemaState(db.query)).toEqual({ kind: "older", version: 2 })
    await db.query(`INSERT INTO api_keys (id, key_hash, name) VALUES ('${KEY}', '${hashKey(SECRET)}', 'Development');
      INSERT INTO llm_requests (majordomo_api_key_id, provider, model, request_path, request_method, requested_at, responded_at,
        response_time_ms, status_code, total_cost, cost_status)
      SELECT '${KEY}', 'openai', 'gpt-4o', '/v1/responses', 'POST', now(), now(), n, 200, n * 0.000000000001, 'exact'
      FROM generate_series(1, 20) n`)
    // A gateway that has not migrated the schema yet accepts the keys that are there.
    expect(await findCaller(db, hashKey(SECRET))).toEqual({ keyId: KEY, keyName: "Development" })
    const read = async () => [
      (await db.query("SELECT id, total_cost, cost_status FROM llm_requests ORDER BY id")).rows,
      // A later version has counters that this one does not have.
      (
        await db.query(
          "SELECT to_jsonb(d) - ARRAY['latencies', 'subscription_requests', 'subscription_value', 'subscription_without_value'] AS row FROM llm_usage_daily d ORDER BY day, model",
        )
      ).rows,
    ]
    const before = await read()

    expect((await migrate(db)).did).toBe("updated")
    expect(await readSchemaState(db.query)).toEqual({ kind: "current", version: VERSION })
    expect(await read()).toEqual(before)
    expect(await getKey(db, KEY)).toMatchObject({ name: "Development", discountPercent: undefined, requestCount: 20 })
    expect(await updateKey(db, KEY, { discount: "5" })).toMatchObject({ discountPercent: "5" })
    expect(await createPriceHistoryStore(db).readNew()).toEqual([])
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
  })
})
