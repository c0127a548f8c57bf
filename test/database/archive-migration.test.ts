import { expect, test } from "vitest"
import { migrate } from "../../src/database/schema.ts"
import { makeFolder, run } from "../archive/_archive.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"
import { expectBalance, insertRequests } from "./_verify.ts"

describePostgresFirst("a database with requests from before the archive", (open) => {
  test("is like a new one afterwards, and its days can be archived", async () => {
    const [db, fresh] = [await open({ empty: true }), await open()]
    await db.query(makeOlderScript(29))
    await insertRequests(db, "2026-02-01T00:00:00Z", 1, 60)
    expect((await migrate(db)).did).toBe("updated")
    expect(await describeSchema(db)).toEqual(await describeSchema(fresh))
    const { rows } = await db.query("SELECT archive_required, archive_id IS NOT NULL AS has_id FROM majordomo_schema")
    expect(rows).toEqual([{ archive_required: false, has_id: true }])
    const to = makeFolder()
    const { days } = await run(db, { to, beforePrune: true })
    expect([...new Set(days.map(({ status }) => status))]).toEqual(["verified"])
    expect(days.reduce((sum, day) => sum + day.rows, 0)).toBe(60)
    expect((await db.query("SELECT archive_required FROM majordomo_schema")).rows).toEqual([{ archive_required: true }])
    await expectBalance(db)
  })
})
