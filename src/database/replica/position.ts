import type { Database } from "../_database.ts"

/** The state of one server of a database at one moment. */
export interface Position {
  /** The end of the write-ahead log that was written (a primary) or replayed (a standby), in bytes since its beginning. */
  readonly wal: bigint
  readonly isStandby: boolean
  /** The number of the timeline: each promotion begins a new one. */
  readonly timeline: number
  /** The cluster, and the database and the tables in it: all copies of one database have the same. */
  readonly identity: string
  /** The version of the schema; undefined if it has none. */
  readonly schema: number | undefined
  /** Stands for the newest changes of the audit log. */
  readonly changes: string | undefined
  /** The clock of the server, in ms since the epoch. */
  readonly clockMs: number
  /** When the primary committed the newest transaction that a standby has replayed, by the clock of the primary. */
  readonly replayedMs: number | undefined
}

interface Row {
  readonly wal: string | null
  readonly is_standby: boolean
  readonly timeline: number
  readonly identity: string
  readonly has_schema: boolean
  readonly clock_ms: number
  readonly replayed_ms: number | null
}

/** Both kinds of servers answer it: `pg_current_wal_lsn` fails on a standby, and CASE does not call it there. */
const POSITION = `SELECT pg_is_in_recovery() AS is_standby,
    (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn)::text AS wal,
    CASE WHEN pg_is_in_recovery() THEN (SELECT greatest(c.timeline_id, r.min_recovery_end_timeline)
        FROM pg_control_checkpoint() c, pg_control_recovery() r)
      ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END AS timeline,
    concat_ws(' ', (SELECT system_identifier FROM pg_control_system()),
      (SELECT oid FROM pg_database WHERE datname = current_database()), to_regclass('llm_requests')::oid) AS identity,
    to_regclass('majordomo_migrations') IS NOT NULL AND to_regclass('llm_audit') IS NOT NULL AS has_schema,
    (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS clock_ms,
    (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000)::float8 AS replayed_ms`

/**
 * Changes that commit at the same time need not do so in the order of their times, so the newest one alone would not tell
 * whether those just before it are there.
 */
const CHANGES = `SELECT (SELECT max(version) FROM majordomo_migrations) AS schema,
    (SELECT md5(string_agg(id::text, '')) FROM (SELECT id FROM llm_audit ORDER BY at DESC, id DESC LIMIT 50) AS newest) AS changes`

/** Reads the position of a server. Its position is read first, so that it never claims more than what was read after it. */
export async function readPosition(database: Database, timeoutMs: number): Promise<Position> {
  const row = (await database.query<Row>({ text: POSITION, timeoutMs })).rows[0]!
  const changed = row.has_schema
    ? (await database.query<{ schema: number | null; changes: string | null }>({ text: CHANGES, timeoutMs })).rows[0]
    : undefined
  return {
    wal: BigInt(row.wal ?? 0),
    isStandby: row.is_standby,
    timeline: row.timeline,
    identity: row.identity,
    schema: changed?.schema ?? undefined,
    changes: changed?.changes ?? undefined,
    clockMs: row.clock_ms,
    replayedMs: row.replayed_ms ?? undefined,
  }
}
