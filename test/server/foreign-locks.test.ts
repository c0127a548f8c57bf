import pg from "pg"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"
import { describeOldSnapshots } from "../../src/database/ledger/blockers.ts"
import { type Gateways, startGateways, WAIT } from "./_gateways.ts"

let gateways: Gateways
beforeAll(async () => {
  gateways = await startGateways()
  for (const which of [0, 1, 2]) await gateways.ask(which)
  await gateways.settled()
})
afterAll(() => gateways.close())

/** Opens a session of another program. */
async function openSession(application: string): Promise<{ readonly client: pg.Client; readonly pid: number }> {
  const { host, port, user, password, database } = gateways.sql
  const client = new pg.Client({
    host,
    port,
    user,
    password: password!,
    database: database!,
    application_name: application,
  })
  client.on("error", () => {})
  await client.connect()
  onTestFinished(() => client.end())
  const { rows } = await client.query("SELECT pg_backend_pid() AS pid")
  return { client, pid: rows[0].pid }
}

/** What a session of another program does, and which of them has the lock for which batches wait. */
const CASES: readonly (readonly [name: string, ...statements: string[]])[] = [
  ["a lock of the table of requests", "LOCK TABLE llm_requests IN ACCESS EXCLUSIVE MODE"],
  ["a lock of a rollup", "LOCK TABLE llm_usage_hourly IN ACCESS EXCLUSIVE MODE"],
  ["a lock of the keys", "LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE"],
  ["a lock of rows of a rollup", "SELECT * FROM llm_usage_hourly FOR UPDATE /* 'the secret' */"],
  ["the advisory lock of the rollups", "SELECT pg_advisory_xact_lock(7680, 2)"],
]

/** Sends requests, and returns when all of them are answered. */
async function expectAnswers(count: number): Promise<void> {
  for (let i = 0; i < count; i++) expect((await gateways.ask(0)).status).toBe(200)
}

async function expectNamed(pid: number, application: string): Promise<void> {
  const named = new RegExp(
    `^warn the database does not take rows \\(a lock is held by process ${pid} \\(user "\\w+", application "${application}", [a-z ]+, \\d+ s, last statement at [\\d:]+ UTC\\)\\): \\d+ rows? waits?, requests are still served; end that transaction`,
  )
  await expect.poll(() => gateways.logs[0]!.filter((line) => named.test(line)), WAIT).toHaveLength(1)
  expect(gateways.logs.join()).not.toContain("secret")
}

/** The rows of all requests arrive, and the log says that the database takes rows again. */
async function expectWritten(): Promise<void> {
  await gateways.settled()
  const { rows } = await gateways.sql.query("SELECT count(*)::int AS count FROM llm_requests")
  const written = gateways.servers.reduce((sum, server) => sum + server.stats().written, 0)
  expect(rows[0].count).toBe(written)
}

test.each(CASES)(
  "%s that another session holds: requests are answered, the log names the session, and the rows arrive afterwards",
  async (_, statement) => {
    const { client, pid } = await openSession("console")
    await client.query("BEGIN")
    await client.query(statement!)
    await expectAnswers(5)
    await expectNamed(pid, "console")
    await expectAnswers(5)
    await client.query("ROLLBACK")
    await expectWritten()
    gateways.logs[0]!.length = 0
  },
)

test("a key that is not in memory is rejected while the keys are locked, and the answer says when to try again", async () => {
  const headers = { "X-Majordomo-Key": `mdm_sk_${"x".repeat(32)}` }
  const { client } = await openSession("console")
  await client.query("BEGIN")
  await client.query("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
  const answer = await gateways.ask(0, { headers })
  expect([answer.status, answer.headers.get("Retry-After")]).toEqual([503, expect.stringMatching(/^[1-9]\d*$/)])
  expect(JSON.parse(answer.text)).toMatchObject({
    error: { code: "keys_unavailable", message: "The gateway cannot check keys at the moment. Try again shortly." },
  })
  // A key that was valid a moment ago is still accepted.
  await expectAnswers(3)
  await client.query("ROLLBACK")
  await expect.poll(async () => (await gateways.ask(0, { headers })).status, WAIT).toBe(401)
  await expectWritten()
  gateways.logs[0]!.length = 0
})

test("a change of the table that waits for a long report blocks batches: the report is named, for which it waits", async () => {
  const report = await openSession("report")
  const admin = await openSession("admin")
  await report.client.query("BEGIN")
  await report.client.query("SELECT count(*) FROM llm_requests")
  const change = admin.client.query("ALTER TABLE llm_requests ADD COLUMN note text")
  const isWaiting = { text: "SELECT wait_event_type FROM pg_stat_activity WHERE pid = $1", values: [admin.pid] }
  await expect.poll(async () => (await gateways.sql.query(isWaiting)).rows[0]?.wait_event_type, WAIT).toBe("Lock")
  await expectAnswers(5)
  await expectNamed(report.pid, "report")
  await report.client.query("COMMIT")
  await change
  await expectWritten()
  gateways.logs[0]!.length = 0
})

test("a transaction that only keeps a snapshot delays no row, and doctor names it when it is old", async () => {
  const { client, pid } = await openSession("forgotten")
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
  await client.query("SELECT count(*) FROM llm_usage_hourly")
  await expectAnswers(5)
  await expectWritten()
  expect(gateways.logs[0]).toEqual([])
  expect(await describeOldSnapshots(gateways.database, 0)).toEqual([
    expect.stringMatching(
      new RegExp(`^process ${pid} \\(user "\\w+", application "forgotten", idle in transaction, \\d+ s`),
    ),
  ])
  expect(await describeOldSnapshots(gateways.database, 3_600_000)).toEqual([])
  await client.query("COMMIT")
})
