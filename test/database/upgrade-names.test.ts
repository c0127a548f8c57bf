import { expect, test } from "vitest"
import { readMigrations } from "../../build/schema/migrations.ts"
import { backfillName } from "../../src/database/backfill.ts"
import { activateName } from "../../src/database/metadata.ts"
import { migrate } from "../../src/database/schema.ts"
import { askRollupState, readRollupState } from "../../src/reports/index.ts"
import { describeDatabases } from "../support/databases.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"
import { expectBalance, insertRequests } from "./_verify.ts"

/** The version before the migration, whatever its number is. */
const BEFORE = readMigrations("migrations").find(({ name }) => name === "names")!.version - 1

describeDatabases("a database of the version before indexes of earlier requests", (open) => {
  test("keeps what is indexed, and a name that was being activated is completed", async () => {
    const db = await open({ empty: true })
    await migrate(db, undefined, makeOlderScript(BEFORE))
    // An activation of that version was ended before it was complete.
    await db.query(`INSERT INTO llm_usage_metadata_names (name, every_key, summed, indexed)
      VALUES ('User-Id', true, true, true), ('Feature', true, false, false)`)
    await insertRequests(db, "2026-02-01T00:00:00Z", 1, 40)
    expect((await migrate(db)).did).toBe("updated")
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
    const readState = async () => readRollupState((await db.query(askRollupState())).rows)
    const before = await readState()
    expect(Object.fromEntries(before.indexed)).toEqual({ "User-Id": -Infinity, Client: -Infinity })
    expect([...before.countedFrom]).toEqual([])
    await activateName(db, { name: "Feature", key: undefined })
    await backfillName(db, "Feature", () => {})
    const after = await readState()
    expect([...after.summed].sort()).toEqual(["Client", "Feature", "User-Id"])
    expect(after.indexed.get("Feature")).toBeGreaterThan(Date.parse("2026-02-01T00:00:00Z"))
    await expectBalance(db)
  })
})
