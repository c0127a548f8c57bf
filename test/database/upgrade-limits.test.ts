import { expect, test } from "vitest"
import { insertLimit } from "../../src/database/limits.ts"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, insertOldRequest, makeOlderScript } from "./_schemas.ts"

/** The last version without limits. */
const VERSION_BEFORE = 19

describePostgresFirst(`a database with rows of version ${VERSION_BEFORE}`, (open) => {
  test("gets limits, which count its rows", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(VERSION_BEFORE))
    await insertOldRequest(db)
    expect((await migrate(db)).did).toBe("updated")
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
    await insertLimit(db.query, { name: "all", measure: "requests", amount: "10", window: "total" })
    await insertOldRequest(db)
    expect((await db.query("SELECT value, requests FROM llm_limit_usage")).rows).toEqual([{ value: "", requests: "2" }])
  })
})
