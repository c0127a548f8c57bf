import pg from "pg"
import { expect, onTestFinished, test } from "vitest"
import { describeBlockers } from "../../src/database/ledger/blockers.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { waitForBlocked } from "./_blocked.ts"
import { aRecord, connect, makeDirectory, openTestLedger } from "./_ledger.ts"

test("a transaction that holds a lock is named, without its statement, and rows are written when it ends", async () => {
  const { url } = await createTestDatabase()
  const db = await connect(url)
  const ledger = await openTestLedger(db, await makeDirectory())
  ledger.append(aRecord())
  expect(await ledger.drain(180_000)).toEqual({ drained: true, waiting: 0 })
  const blocker = new pg.Client({ connectionString: url, application_name: "console" })
  await blocker.connect()
  onTestFinished(() => blocker.end())
  await blocker.query("BEGIN")
  await blocker.query("UPDATE llm_requests SET request_path = '/the secret'")
  const { rows } = await blocker.query("SELECT pg_backend_pid() AS pid")

  ledger.append(aRecord())
  const findLine = () => ledger.lines.find((line) => line.includes("a lock is held by"))
  await expect
    .poll(findLine, { interval: 20 })
    .toMatch(
      new RegExp(
        `^warn the database does not take rows \\(a lock is held by process ${rows[0].pid} \\(user "postgres", application "console", idle in transaction, \\d+ s, last statement at \\d\\d:\\d\\d:\\d\\d UTC\\)\\): 1 row waits, requests are still served; end that transaction`,
      ),
    )
  expect(ledger.lines.join()).not.toContain("secret")
  const stats = ledger.stats()
  expect(stats.lastError).toBe("another transaction holds a lock")
  expect(Date.now() - stats.stalledSince!).toBeGreaterThanOrEqual(1_500)
  // The server ends the wait after the time-out of the session, and the writer tries again.
  await expect.poll(() => ledger.stats().lastError).toMatch(/^55P03/)
  expect(ledger.stats()).toMatchObject({ written: 1, waiting: 1 })
  await blocker.query("ROLLBACK")
  expect(await ledger.drain(180_000)).toEqual({ drained: true, waiting: 0 })
  expect(ledger.stats()).toMatchObject({ lastError: undefined, stalledSince: undefined })
  expect(ledger.lines.filter((line) => line.startsWith("warn"))).toHaveLength(1)
})

test("a batch of another gateway, for which this one waits in turn, is not named", async () => {
  const { url } = await createTestDatabase()
  const db = await connect(url)
  const ledger = await openTestLedger(db, await makeDirectory())
  const other = new pg.Client({ connectionString: url, application_name: "majordomo-gateway" })
  await other.connect()
  onTestFinished(() => other.end())
  const { rows } = await other.query("SELECT pg_backend_pid() AS pid")
  const batch = other
    .query("SELECT pg_advisory_lock(7680, 2), pg_sleep(600) -- INSERT INTO llm_requests \n")
    .catch(() => {})
  const canWait = "SELECT count(*)::int AS count FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = 2"
  await expect.poll(async () => (await db.query<{ count: number }>(canWait)).rows[0]!.count).toBe(1)
  ledger.append(aRecord())
  await waitForBlocked(db)
  expect(await describeBlockers(db)).toBeUndefined()
  await db.query({ text: "SELECT pg_cancel_backend($1)", values: [rows[0].pid] })
  await batch
  // Idle, it would hold the lock for ever, and is named.
  await expect.poll(() => describeBlockers(db)).toContain(`process ${rows[0].pid}`)
  await other.query("SELECT pg_advisory_unlock_all()")
  expect(await ledger.drain(180_000)).toEqual({ drained: true, waiting: 0 })
})
