import pg from "pg"
import { afterAll, beforeAll, expect, it } from "vitest"
import { firstKey, metric } from "../chaos/_books.ts"
import { askOnce } from "../chaos/_load.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

let fakeProvider: FakeProvider
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
})
afterAll(() => fakeProvider.close())

it("[O12] reports after a kill say how many rows wait in the journal", async () => {
  const database = await createTestDatabase()
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const setReadOnly = async (value: "on" | "off") => {
    await client.query(
      `ALTER DATABASE ${client.escapeIdentifier(client.database!)} SET default_transaction_read_only = ${value}`,
    )
    await client.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
  }
  const home = createInstallation({
    DATABASE_URL: database.url,
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
  })
  const reports = [["usage"], ["usage", "--by", "model"], ["usage", "requests"], ["usage", "runs"]]
  try {
    const gateway = await home.serve()
    const ask = (tag: string) => askOnce({ key: firstKey(gateway), port: gateway.port, tag, stream: false })
    expect(await ask("written")).toBeUndefined()
    await expect.poll(() => metric(gateway, "majordomo_rows_written_total")).toBe(1)
    await setReadOnly("on")
    for (let i = 0; i < 3; i++) expect(await ask(`waiting-${i}`)).toBeUndefined()
    process.kill(gateway.pid, "SIGKILL")
    await gateway.ended
    await setReadOnly("off")

    for (const report of reports) {
      expect((await home.run(report)).stderr, report.join(" ")).toContain("note: 3 rows wait in the journal in ")
    }
    expect(await home.runJson(["usage"])).toMatchObject({ total: { requests: 1 }, pending_rows: 3 })
    expect(await home.runJson(["usage", "--by", "model"])).toMatchObject({ pending_rows: 3 })
    const elsewhere = await home.run(["usage", "--json"], { MAJORDOMO_STORAGE_DATA_DIR: `${home.home}/elsewhere` })
    expect([elsewhere.code, elsewhere.stderr]).toEqual([0, ""])

    const next = await home.serve()
    await expect.poll(() => metric(next, "majordomo_rows_written_total")).toBe(4)
    expect(await home.runJson(["usage"])).toMatchObject({ total: { requests: 4 } })
    for (const report of reports) expect((await home.run(report)).stderr, report.join(" ")).not.toContain("journal")
    await next.stop()
  } finally {
    await home.remove()
    await client.end()
    await database.drop()
  }
})
