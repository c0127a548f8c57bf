import { expect } from "vitest"
import type { Database } from "../../src/database/_database.ts"

const BLOCKED =
  "SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

/** Waits until so many statements of the database wait for a lock. */
export async function waitForBlocked(db: Pick<Database, "query">, count = 1): Promise<void> {
  const countBlocked = async () => (await db.query<{ count: number }>(BLOCKED)).rows[0]!.count
  await expect.poll(countBlocked, { interval: 20 }).toBeGreaterThanOrEqual(count)
}
