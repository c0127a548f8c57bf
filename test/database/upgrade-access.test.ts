import { expect, test } from "vitest"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, insertOldRequest, makeOlderScript } from "./_schemas.ts"

/** The last version without admin tokens. */
const VERSION_BEFORE = 11

describePostgresFirst("a database with rows of version 11", (open) => {
  test("gets admin tokens, sessions and the audit log, and keeps its rows", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(VERSION_BEFORE))
    const id = await insertOldRequest(db)
    expect((await migrate(db)).did).toBe("updated")
    expect((await db.query("SELECT id FROM llm_requests")).rows).toEqual([{ id }])
    expect((await db.query("SELECT cookie_key FROM majordomo_schema")).rows).toEqual([{ cookie_key: null }])
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
  })
})
