import { expect, test } from "vitest"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"
import { expectBalance, insertRequests } from "./_verify.ts"

const NAMES = "INSERT INTO llm_usage_metadata_names (name, every_key, summed) VALUES ('User-Id', true, true)"
const BY_TABLE = ["hourly", "hourly_keys", "daily", "metadata"].map(
  (name) => `SELECT '${name}' AS name, sum(requests)::int AS requests, trim_scale(sum(total_cost))::text AS total_cost,
    sum(subscription_requests)::int AS subscribed, trim_scale(sum(subscription_value))::text AS value,
    sum(subscription_without_value)::int AS unknown FROM llm_usage_${name}`,
)
const TOTALS = BY_TABLE.join(" UNION ALL ")

describePostgresFirst("a database with requests from before subscriptions were known", (open) => {
  test("is like a new one afterwards, and all its requests stay on the bill", async () => {
    const [db, fresh] = [await open({ empty: true }), await open()]
    await db.query(makeOlderScript(13))
    for (const each of [db, fresh]) {
      await each.query(NAMES)
      await insertRequests(each, "2026-02-01T00:00:00Z", 1, 60)
    }
    expect((await migrate(db)).did).toBe("updated")
    expect(await describeSchema(db)).toEqual(await describeSchema(fresh))
    const { rows } = await db.query(TOTALS)
    expect(rows).toEqual((await fresh.query(TOTALS)).rows)
    expect(rows[0]).toMatchObject({ requests: 60, subscribed: 0, value: "0", unknown: 0 })
    await expectBalance(db)
  })

  test("counts a change of the billing of requests in both totals", async () => {
    const db = await open()
    await db.query(NAMES)
    await insertRequests(db, "2026-02-01T00:00:00Z", 1, 10)
    await db.query("UPDATE llm_requests SET billing = 'subscription' WHERE response_time_ms <= 3")
    const { rows } = await db.query(TOTALS)
    // Each request n costs 3n, in units of 10^-12 USD, except n = 2 and 7, whose price is not known.
    for (const row of rows)
      expect(row).toMatchObject({
        requests: 10,
        subscribed: 3,
        unknown: 1,
        total_cost: "0.000000000126",
        value: "0.000000000012",
      })
    await expectBalance(db)
  })
})
