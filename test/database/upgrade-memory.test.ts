import { expect, test } from "vitest"
import { migrate } from "../../src/database/schema.ts"
import { describePostgresFirst } from "../support/databases.ts"
import { describeSchema, makeOlderScript } from "./_schemas.ts"

const JOURNAL = "c0000000-0000-4000-8000-000000000001"
const LAST_ROW = "c0000000-0000-4000-8000-000000000002"

describePostgresFirst("a database with journals of version 9", (open) => {
  test("keeps how far each is written, and knows of no rows from memory", async () => {
    const db = await open({ empty: true })
    await db.query(makeOlderScript(9))
    await db.query({
      text: "INSERT INTO majordomo_journals (journal, last_row) VALUES ($1, $2)",
      values: [JOURNAL, LAST_ROW],
    })
    expect((await migrate(db)).did).toBe("updated")
    const { rows } = await db.query("SELECT journal, last_row, from_memory::int AS from_memory FROM majordomo_journals")
    expect(rows).toEqual([{ journal: JOURNAL, last_row: LAST_ROW, from_memory: 0 }])
    expect(await describeSchema(db)).toEqual(await describeSchema(await open()))
  })
})
