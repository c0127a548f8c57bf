import type { RunQuery } from "./_database.ts"
import { toErrorCode } from "./failures.ts"

/*
 * Every transaction takes its locks in this order, so that none waits for another one that waits for it. The same list
 * stands in migrations/, because triggers follow it too.
 *
 * 1. `pg_advisory_xact_lock(7680, n)` with n other than 2 and 8
 * 2. llm_requests: the table, then its partitions, then its rows in the order of their ids (`ORDER BY id FOR UPDATE`)
 * 3. `pg_advisory_xact_lock(7680, 2)`: the rollups
 * 4. everything else: rollups, api_keys, llm_requests_metadata_keys, llm_usage_metadata_names, majordomo_schema
 *    A batch that repeats reports of clients deletes their rows here (migration 0026): who holds such a row and waits for
 *    step 3 is ended by the database, and tries again.
 * 5. `pg_advisory_xact_lock(7680, 8)`, then the leases of limits
 */

/** Takes one of the locks of step 1 until the transaction ends. README.md lists what they stand for. */
export async function lockFirst(query: RunQuery, lock: 4 | 5 | 6 | 7, timeoutMs?: number): Promise<void> {
  const text = `SELECT pg_advisory_xact_lock(7680, ${lock})`
  await query(timeoutMs === undefined ? text : { text, timeoutMs })
}

/** Takes the locks of steps 2 and 3, for a transaction that changes rows of step 4 from which triggers reach rollups. */
export async function lockRollups(query: RunQuery): Promise<void> {
  await lockRequests(query)
  await query("SELECT pg_advisory_xact_lock(7680, 2)")
}

/** Takes the lock of step 2 as a batch does: it waits for a rebuild of the rollups, and for no batch. */
export async function lockRequests(query: RunQuery): Promise<void> {
  // Without ONLY it would lock each partition too. An exclusive lock holds the table itself, so this one waits for it.
  await query("LOCK TABLE ONLY llm_requests IN ROW EXCLUSIVE MODE")
}

const ATTEMPTS = 5

/**
 * Runs a transaction again when the database has ended it because of a deadlock (40P01) or a conflict (40001). Statements
 * of other programs may take locks in another order.
 */
export async function retryDeadlocks<T>(transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transaction()
    } catch (error) {
      if (attempt === ATTEMPTS || !/^40(?:P01|001)$/.test(toErrorCode(error) ?? "")) throw error
    }
  }
}
