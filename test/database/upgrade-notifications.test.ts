import { expect, test } from "vitest"
import { listFailed } from "../../src/database/deliveries.ts"
import { findNewKeys } from "../../src/database/first-uses.ts"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, insertOldRequest, makeOlderScript } from "./_schemas.ts"

/** The last version without notifications. */
const VERSION_BEFORE = 24

describePostgresFirst(`a database with rows of version ${VERSION_BEFORE}`, (open) => {
  test("gets tables for notifications, and its rows say which keys are not new", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(VERSION_BEFORE))
    const id = await insertOldRequest(db)
    const { rows } = await db.query<{ id: string }>(
      "INSERT INTO api_keys (key_hash, name) VALUES ('h', 'Old') RETURNING id",
    )
    const key = rows[0]!.id
    await db.query({
      text: "UPDATE llm_requests SET majordomo_api_key_id = $1, requested_at = now() - interval '40 days' WHERE id = $2",
      values: [key, id],
    })
    expect(await listFailed(db)).toEqual([])
    expect((await migrate(db)).did).toBe("updated")
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
    expect(await findNewKeys(db, [key])).toEqual([])
  })
})
