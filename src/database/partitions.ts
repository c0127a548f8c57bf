import type { Database } from "./_database.ts"
import { toErrorCode } from "./failures.ts"
import { attempt, callShortly, type Retries } from "./short-locks.ts"

/*
 * The partitions of llm_requests are made and dropped by functions of the schema (migration 0027), which run with the
 * rights of its owner. Batches and reports wait for the lock that these functions wait for, so each attempt gives up soon.
 */

const TIMEOUT_MS = 60_000
const DROP_TIMEOUT_MS = 10 * 60_000
const RETRIES = { attempts: 20, delayMs: 1_000 }

/**
 * Adds the partitions of this month and the next three that are missing, and refreshes the statistics of the whole table,
 * which PostgreSQL does not do by itself. It may be called by many gateways. Returns the number of new partitions.
 *
 * @throws the error of the database, also if others held the table all the time. Requests of a month that has no partition
 * are stored in the default partition.
 */
export async function addPartitions(db: Database, retries: Retries = RETRIES): Promise<number> {
  const text = "SELECT majordomo_add_partitions() AS added"
  const { added } = await attempt(() => callShortly<{ added: number }>(db, text), retries)
  await attempt(() => callShortly(db, "SELECT majordomo_analyze_requests()"), retries)
  return added
}

interface Dropped {
  readonly partitions: number
  readonly requests: number
}

/**
 * Drops the partitions whose requests all ended before a midnight. Requests of other partitions stay, and also a partition
 * that somebody holds all the time (a report of an hour, a dump): whoever prunes deletes these one by one.
 *
 * A partition is first taken out of the table, for which the table is locked a few milliseconds. Only then its requests
 * are counted. `DETACH CONCURRENTLY` would not lock the table, but is not possible beside a default partition, and without
 * that one a request of a dropped month could not be stored.
 */
export async function dropPartitions(
  db: Database,
  before: Date,
  onDropped: (requests: number) => void = () => {},
  retries: Retries = RETRIES,
): Promise<Dropped> {
  let partitions = 0
  // A process that was ended between the two steps has left such tables.
  let requests = await dropDetached(db)
  for (const name of await findDroppable(db, before)) {
    if (!(await detach(db, name, before, retries))) continue
    partitions++
    requests += await dropDetached(db)
    onDropped(requests)
  }
  return { partitions, requests }
}

/** Returns the partitions that end before a midnight and have no later request. The functions look again. */
async function findDroppable(db: Database, before: Date): Promise<readonly string[]> {
  const { rows } = await db.query<{ name: string }>({
    text: `SELECT name FROM majordomo_partitions() WHERE until_id <= majordomo_first_id($1)
      AND NOT EXISTS (SELECT FROM llm_requests WHERE created_at >= $1 AND id < until_id AND (from_id IS NULL OR id >= from_id))
      ORDER BY until_id`,
    values: [before],
    timeoutMs: TIMEOUT_MS,
  })
  return rows.map(({ name }) => name)
}

/** Returns whether the partition was taken out of the table. */
async function detach(db: Database, name: string, before: Date, retries: Retries): Promise<boolean> {
  try {
    const text = "SELECT majordomo_detach_partition($1, $2) AS is_detached"
    const detached = await attempt(() => callShortly<{ is_detached: boolean }>(db, text, [name, before]), retries)
    return detached.is_detached
  } catch (error) {
    // 42501: the user may not call the function. 23503: a foreign key of another table refers to a request.
    if (/^42501$|^23503$|^55P03$|^40/.test(toErrorCode(error) ?? "")) return false
    throw error
  }
}

/** Drops the partitions that were taken out of the table, and returns the number of their requests. */
async function dropDetached(db: Database): Promise<number> {
  const { rows } = await db.query<{ requests: string }>({
    text: "SELECT majordomo_drop_detached() AS requests",
    timeoutMs: DROP_TIMEOUT_MS,
  })
  return Number(rows[0]!.requests)
}
