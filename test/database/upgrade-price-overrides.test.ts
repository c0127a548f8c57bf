import { expect, test } from "vitest"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, insertOldRequest, makeOlderScript } from "./_schemas.ts"

/** The last version without prices that are set in the database. */
const VERSION_BEFORE = 17

describePostgresFirst(`a database with rows of version ${VERSION_BEFORE}`, (open) => {
  test("gets an empty table of prices that are set, and keeps its rows", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(VERSION_BEFORE))
    const id = await insertOldRequest(db)
    expect((await migrate(db)).did).toBe("updated")
    expect((await db.query("SELECT id FROM llm_requests")).rows).toEqual([{ id }])
    expect((await db.query("SELECT * FROM majordomo_price_overrides")).rows).toEqual([])
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
  })
})
