import { expect, test } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { aRecord } from "./_ledger.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"

/** The last version whose functions do not know the outcome. */
const VERSION_BEFORE = 8

async function add(db: Database, outcome: string): Promise<void> {
  const { id, provider, model } = aRecord()
  await db.query({
    text: `INSERT INTO llm_requests (id, provider, model, request_path, request_method, requested_at, responded_at,
        response_time_ms, status_code, outcome)
      VALUES ($1, $2, $3, '/', 'POST', now(), now(), 1, 200, $4)`,
    values: [id, provider, model, outcome],
  })
}

const countErrors = async (db: Database) =>
  (await db.query("SELECT sum(requests)::int AS requests, sum(errors)::int AS errors FROM llm_usage_daily")).rows[0]

describePostgresFirst("a database with rows of version 8", (open) => {
  test("counts requests that a shutdown cut off as errors from then on, and keeps its totals", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(VERSION_BEFORE))
    await add(db, "complete")
    await add(db, "gateway_died")
    expect(await countErrors(db)).toEqual({ requests: 2, errors: 1 })

    expect((await migrate(db)).did).toBe("updated")
    expect(await countErrors(db)).toEqual({ requests: 2, errors: 1 })
    await add(db, "shutdown")
    expect(await countErrors(db)).toEqual({ requests: 3, errors: 2 })
    await db.query("SELECT majordomo_count_again()")
    expect(await countErrors(db)).toEqual({ requests: 3, errors: 2 })
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
  })
})
