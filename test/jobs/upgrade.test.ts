import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { readMigrations } from "../../build/schema/migrations.ts"
import { toSchemaScript as makeScript } from "../../build/schema/script.ts"
import { migrate } from "../../src/database/schema.ts"
import { toSchemaScript } from "../../src/database/schema-script.ts"
import { verifyLedger } from "../../src/database/verify.ts"
import { aRecord, makeDirectory, openTestLedger } from "../database/_ledger.ts"
import { describeDatabases } from "../support/databases.ts"

/** The schema.sql of version 2, which knows nothing of jobs. */
function makeVersion2() {
  const read = (name: string) => readFileSync(new URL(`../../migrations/before/${name}.sql`, import.meta.url), "utf8")
  const before = { go: read("go"), goRows: read("go-rows"), unversioned: read("unversioned"), rollups: read("rollups") }
  return toSchemaScript(makeScript(readMigrations("migrations").slice(0, 2), before))
}

describeDatabases("a database of version 2 with rows", (open) => {
  test("gets the tables of jobs, keeps its rows and totals, and bills jobs from then on", async () => {
    const database = await open({ empty: true })
    const journals = await makeDirectory()
    expect((await migrate(database, undefined, makeVersion2())).did).toBe("created")
    await database.query(`INSERT INTO llm_requests (provider, model, request_path, request_method, requested_at, responded_at,
      response_time_ms, status_code) SELECT 'openai', 'm', '/', 'POST', now(), now(), 1, 200 FROM generate_series(1, 20)`)
    expect((await migrate(database)).did).toBe("updated")
    const ledger = await openTestLedger(database, `${journals}/2`)
    ledger.append({ ...aRecord(), job: { kind: "batch", id: "batch_1", state: "done", created: true } })
    const item = { kind: "batch", source: "batch_1", item: "a" } as const
    for (let download = 0; download < 3; download++) ledger.append({ ...aRecord(), job: item })
    await ledger.drain(180_000)
    const { rows } = await database.query("SELECT billed_items::int AS billed FROM llm_jobs")
    expect(rows).toEqual([{ billed: 1 }])
    expect(await verifyLedger(database, journals)).toMatchObject({ written: 22, waiting: 0, lost: 0, differences: [] })
  })
})
