import type { Database } from "../_database.ts"

const TIMEOUT_MS = 1_000
const MAX_NAMED = 3

/**
 * Returns a description of the sessions that hold the locks for which batches of rows wait, such as `process 4711 (user
 * "ana", application "psql", idle in transaction, 34 s)`; undefined if no batch waits for a lock. It never contains the
 * text of a statement. The embedded database has one session, which cannot wait for another.
 */
export async function describeBlockers(db: Database): Promise<string | undefined> {
  if (db.kind === "embedded") return undefined
  const { rows } = await db.query<Blocker>({ text: BLOCKERS, values: [MAX_NAMED], timeoutMs: TIMEOUT_MS })
  return rows.length === 0 ? undefined : rows.map(describe).join(", ")
}

interface Blocker {
  /** 0 for a prepared transaction, which has no process. */
  readonly pid: number
  readonly user: string | null
  readonly application: string | null
  /** Null, as `seconds` is, if this role may not see the activity of others. */
  readonly state: string | null
  readonly seconds: number | null
}

/** Follows the chain of waiting sessions to those that do not wait themselves. */
const BLOCKERS = `WITH RECURSIVE blocking AS (
    SELECT unnest(pg_blocking_pids(pid)) AS pid FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND wait_event_type = 'Lock'
      AND query LIKE '%INSERT INTO llm_requests %' -- a mark of the journal may precede it (insert.ts)
    UNION SELECT unnest(pg_blocking_pids(pid)) FROM blocking)
  SELECT pid, usename::text AS user, application_name AS application, state,
    extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds
  FROM blocking LEFT JOIN pg_stat_activity USING (pid)
  WHERE cardinality(pg_blocking_pids(pid)) = 0
  ORDER BY xact_start LIMIT $1`

function describe({ pid, user, application, state, seconds }: Blocker): string {
  if (pid === 0) return "a prepared transaction (see pg_prepared_xacts)"
  const facts = [
    user !== null && `user ${JSON.stringify(user)}`,
    application !== null && `application ${JSON.stringify(application)}`,
    state,
    seconds !== null && `${seconds} s`,
  ]
  return `process ${pid} (${facts.filter(Boolean).join(", ")})`
}
