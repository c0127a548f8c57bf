import { dirname } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { createPostgresDatabase } from "../../src/database/postgres.ts"
import { startTestServer } from "./_harness.ts"

// A busy machine takes long to start the engine.

/** Reads and writes files all the time, as every statement on a large table does. */
const ENDLESS = "SELECT count(*) FROM generate_series(1, 1e12)"
/** Only computes, so there is no moment at which it could be canceled. */
const ENDLESS_WITHOUT_FILES = `SELECT sum(a * b * c * d) FROM ${["a", "b", "c", "d"]
  .map((name) => `(SELECT generate_series(1, 2000) AS ${name}) AS of_${name}`)
  .join(", ")}`
/** Takes more than LIMIT_MS on any machine. */
const LONG = "SELECT count(*)::int AS n FROM generate_series(1, 1500000)"
const LIMIT_MS = 200

test("[L18] a statement above its limit is canceled; the engine, its client and its data stay", async () => {
  const server = await startTestServer({ statementLimitMs: LIMIT_MS })
  const client = await server.connect()
  await client.query("CREATE TABLE kept (n int)")
  await expect(client.query(ENDLESS)).rejects.toMatchObject({ code: "57014" })
  // The cancellation does not reach the next statements.
  await client.query("INSERT INTO kept SELECT generate_series(1, 1000)")
  expect((await client.query("SELECT count(*)::int AS n FROM kept")).rows).toEqual([{ n: 1000 }])
  expect(server.lines.join()).not.toContain("restarting")
  await server.close(0)
})

test("[L18] a client's own timeout replaces the limit: longer in a comment or a setting, and shorter", async () => {
  const server = await startTestServer({ statementLimitMs: LIMIT_MS })
  const client = await server.connect()
  await expect(client.query(LONG)).rejects.toMatchObject({ code: "57014" })
  expect((await client.query(`/* timeout: 600000 ms */ ${LONG}`)).rows).toEqual([{ n: 1_500_000 }])
  await client.query("SET statement_timeout = '10min'")
  expect((await client.query(LONG)).rows).toEqual([{ n: 1_500_000 }])
  await client.query("SET statement_timeout = 100")
  await expect(client.query(ENDLESS)).rejects.toMatchObject({ code: "57014" })
  await server.close(0)
})

test("[L18] the timeout of a query of the program reaches the embedded database", async () => {
  const server = await startTestServer({ statementLimitMs: LIMIT_MS })
  const pool = { host: dirname(server.socket), user: "postgres", database: "postgres", max: 1 }
  const db = createPostgresDatabase(pool, { kind: "embedded", title: "test" })
  onTestFinished(() => db.close())
  await expect(db.query(LONG)).rejects.toMatchObject({ code: "57014" })
  const query = { text: LONG, timeoutMs: 600_000 }
  expect((await db.query(query)).rows).toEqual([{ n: 1_500_000 }])
  expect(await db.transaction(async (run) => (await run(query)).rows)).toEqual([{ n: 1_500_000 }])
  await server.close(0)
})

test("[L18] a client that leaves cancels its statement, and the next client is served", async () => {
  const server = await startTestServer({ statementLimitMs: 3_600_000 })
  const [gone, waiting] = [await server.connect(), await server.connect()]
  const refused = gone.query(ENDLESS).catch((error: Error) => error)
  const answer = waiting.query("SELECT 1 AS n")
  const { stream } = (gone as unknown as { readonly connection: { readonly stream: { destroy(): void } } }).connection
  stream.destroy()
  expect(await refused).toBeInstanceOf(Error)
  expect((await answer).rows).toEqual([{ n: 1 }])
  expect(server.lines.join()).not.toContain("restarting")
  await server.close(0)
})

test("a statement that shows no sign of life after its limit kills its thread, and the database restarts", async () => {
  const server = await startTestServer({ statementLimitMs: 1_000 })
  const one = await server.connect()
  await one.query("CREATE TABLE kept AS SELECT 1 AS n")
  await expect(one.query(ENDLESS_WITHOUT_FILES)).rejects.toMatchObject({ code: "57P01" })
  const two = await server.connect()
  expect((await two.query("SELECT n FROM kept")).rows).toEqual([{ n: 1 }])
  expect(server.lines.join()).toContain("did not answer for 1 s")
  await server.close(0)
})
