import type { Database } from "../_database.ts"

const TIMEOUT_MS = 1_000
const MAX_NAMED = 3

/**
 * Returns a description of the sessions that hold the locks for which batches of rows wait, such as `process 4711 (user
 * "ana", application "psql", idle in transaction, 34 s, last statement at 12:05:31 UTC)`; undefined if no batch waits for a lock. It never contains the
 * text of a statement. The embedded database has one session, which cannot wait for another.
 */
export async function describeBlockers(db: Database): Promise<string | undefined> {
  if (db.kind === "embedded") return undefined
  const { rows } = await db.query<Blocker>({ text: BLOCKERS, values: [MAX_NAMED, OF_BATCHES], timeoutMs: TIMEOUT_MS })
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
  /** When its last statement began, such as `12:05:31`, in UTC. */
  readonly began: string | null
}

/** The first words of the statements of batches: rows, what they say about jobs, and the lock before it. */
const OF_BATCHES = ["%INSERT INTO llm_requests %", "%INSERT INTO llm_job%", "SELECT pg_advisory_xact_lock(7680, 7)"]

/** Follows the chain of waiting sessions to those that do not wait themselves. */
const BLOCKERS = `WITH RECURSIVE blocking AS (
    SELECT unnest(pg_blocking_pids(pid)) AS pid FROM pg_stat_activity
    WHERE datname = current_database() AND usename = current_user AND wait_event_type = 'Lock'
      AND query LIKE ANY ($2) -- a mark of the journal may precede it (insert.ts)
    UNION SELECT unnest(pg_blocking_pids(pid)) FROM blocking)
  SELECT pid, usename::text AS user, application_name AS application, state,
    extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds,
    to_char(query_start, 'HH24:MI:SS') AS began
  FROM blocking LEFT JOIN pg_stat_activity USING (pid)
  WHERE cardinality(pg_blocking_pids(pid)) = 0
    -- A batch that runs is no foreign lock: batches of many gateways take turns.
    AND NOT coalesce(state = 'active' AND usename = current_user AND query LIKE ANY ($2), false)
  ORDER BY xact_start LIMIT $1`

function describe({ pid, user, application, state, seconds, began }: Blocker): string {
  if (pid === 0) return "a prepared transaction (see pg_prepared_xacts)"
  const facts = [
    user !== null && `user ${JSON.stringify(user)}`,
    application !== null && `application ${JSON.stringify(application)}`,
    state,
    seconds !== null && `${seconds} s`,
    began !== null && `last statement at ${began} UTC`,
  ]
  return `process ${pid} (${facts.filter(Boolean).join(", ")})`
}

/**
 * Returns descriptions of the transactions that have kept a snapshot for longer than `olderThanMs`, the oldest first. They
 * block nobody, but the database keeps each old version of a row for them, and rollups have one for each batch.
 */
export async function describeOldSnapshots(db: Database, olderThanMs: number): Promise<readonly string[]> {
  if (db.kind === "embedded") return []
  const values = [MAX_NAMED, olderThanMs / 1000]
  const { rows } = await db.query<Blocker>({ text: OLD_SNAPSHOTS, values, timeoutMs: TIMEOUT_MS })
  return rows.map(describe)
}

const OLD_SNAPSHOTS = `SELECT pid, usename::text AS user, application_name AS application, state,
    extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds, to_char(query_start, 'HH24:MI:SS') AS began
  FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND xact_start < clock_timestamp() - make_interval(secs => $2)
  ORDER BY xact_start LIMIT $1`
