import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { migrate, schemaState } from "../../src/database/schema.ts"
import { describeDatabases } from "../support/databases.ts"

const GO_DATABASE = readFileSync(new URL("../fixtures/go-schema.sql", import.meta.url), "utf8")

describeDatabases("migrate", (open) => {
  test("creates, and the next time finds nothing to do", async () => {
    const db = await open({ empty: true })
    expect(await schemaState(db)).toBe("none")
    expect(await migrate(db)).toEqual({ did: "created", rowsKept: 0 })
    expect(await schemaState(db)).toBe("current")
    expect(await migrate(db)).toEqual({ did: "nothing", rowsKept: 0 })
  })

  test("brings a database of the Go gateway up to date, and says so first", async () => {
    const db = await open({ empty: true })
    await db.query(GO_DATABASE)
    expect(await schemaState(db)).toBe("go")
    const lines: string[] = []
    expect(await migrate(db, (line) => lines.push(line))).toEqual({ did: "upgraded from the Go gateway", rowsKept: 4 })
    expect(lines).toEqual(["bringing the Go gateway's tables up to date (4 requests)"])
    expect(
      (await db.query("SELECT sum(requests)::int AS requests, sum(total_cost) AS cost FROM llm_usage_daily")).rows,
    ).toEqual([{ requests: 4, cost: "0.000435000000" }])
  })

  test("marks a schema that psql applied", async () => {
    const db = await open()
    await db.query("UPDATE majordomo_schema SET digest = NULL")
    expect(await schemaState(db)).toBe("older")
    expect((await migrate(db)).did).toBe("updated")
    expect(await schemaState(db)).toBe("current")
  })

  test("four at once: one does it, the others wait and find it done", async () => {
    const db = await open({ empty: true })
    const all = await Promise.all([1, 2, 3, 4].map(() => migrate(db)))
    expect(all.map(({ did }) => did).sort()).toEqual(["created", "nothing", "nothing", "nothing"])
  })

  test("a failure leaves the database as it was", async () => {
    const db = await open({ empty: true })
    await db.query(GO_DATABASE)
    await db.query("CREATE MATERIALIZED VIEW totals AS SELECT sum(total_cost) FROM llm_requests")
    await expect(migrate(db)).rejects.toThrow(/materialized view totals depends on llm_requests: drop/)
    expect(await schemaState(db)).toBe("go")
  })
})
