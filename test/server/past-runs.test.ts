import { expect, test, vi } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { startPastRuns } from "../../src/server/past-runs.ts"
import { connect } from "../database/_ledger.ts"
import { createTestDatabase } from "../support/postgres.ts"

async function openIncomplete(): Promise<Database> {
  const db = await connect((await createTestDatabase()).url)
  await db.query("UPDATE majordomo_schema SET runs_since = 'infinity'")
  return db
}

const isComplete = async (db: Database) =>
  (await db.query("SELECT FROM majordomo_schema WHERE runs_since = '-infinity'")).rowCount === 1

test("a gateway completes the rollup of runs after an upgrade, and tries again when the database fails", async () => {
  const db = await openIncomplete()
  const lines: string[] = []
  let failures = 1
  const failing: Database = {
    ...db,
    query: (async (...args: Parameters<Database["query"]>) => {
      if (JSON.stringify(args).includes("majordomo_count_past_runs") && failures-- > 0) throw new Error("no connection")
      return db.query(...args)
    }) as Database["query"],
  }
  const pastRuns = startPastRuns({
    database: failing,
    log: (level, line) => lines.push(`${level} ${line}`),
    retryMs: 1,
  })
  await vi.waitFor(async () => expect(await isComplete(db)).toBe(true), { timeout: 60_000 })
  await pastRuns.close()
  const adding = "info runs: adding earlier requests to the rollup of agent runs"
  expect(lines).toEqual([
    adding,
    "warn runs: earlier requests could not be added to the rollup of agent runs: no connection. It is tried again",
    adding,
  ])
})

test("it says nothing when the rollup is complete, and leaves the rest to the next start when the gateway ends", async () => {
  const db = await openIncomplete()
  const lines: string[] = []
  const log = (_: string, line: string) => void lines.push(line)
  const closed = startPastRuns({ database: db, log })
  await closed.close()
  expect(await isComplete(db)).toBe(false)
  const resumed = startPastRuns({ database: db, log })
  await vi.waitFor(async () => expect(await isComplete(db)).toBe(true), { timeout: 60_000 })
  await resumed.close()
  lines.length = 0
  const again = startPastRuns({ database: db, log })
  await again.close()
  expect(lines).toEqual([])
})
