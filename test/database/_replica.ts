import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished } from "vitest"
import type { Database } from "../../src/database/_database.ts"
import { openPostgres } from "../../src/database/open.ts"
import { openReplica } from "../../src/database/replica/replica.ts"
import { findPostgresBinaries } from "../support/_postgres-binaries.ts"
import { NO_POSTGRES } from "../support/databases.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"

const TRUSTING = ["host all all all scram-sha-256", "host replication all all trust"]

/** Starts a server that admits standbys. */
export const startPrimary = (): Promise<PostgresServer> => startPostgres({ hostRules: TRUSTING })

/** Starts a streaming standby. It cancels statements that hold up its replay at once. */
export function startStandby(primary: Pick<PostgresServer, "port">): Promise<PostgresServer> {
  return startPostgres({
    hostRules: TRUSTING,
    settings: { max_standby_streaming_delay: "0", hot_standby: "on" },
    standbyOf: `host=127.0.0.1 port=${primary.port} user=postgres`,
  })
}

/** The npm binaries lack the program that creates a standby. */
export function canReplicate(): boolean {
  const scratch = mkdtempSync(join(tmpdir(), "mdm-bin-"))
  try {
    return existsSync(join(findPostgresBinaries(scratch).bin, "pg_basebackup"))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Opens a database of the test that is closed at its end. */
export async function open(url: string): Promise<Database> {
  const database = await openUntilClosed(url)
  onTestFinished(() => database.close())
  return database
}

/** Opens a database until the test closes it. */
export function openUntilClosed(url: string): Promise<Database> {
  return openPostgres({ ...NO_POSTGRES, isSet: true, url })
}

/** Opens the replica of a database, and collects what it logs. */
export function watch(primary: Database, url: string, maxLagMs = 3_600_000, intervalMs?: number) {
  const lines: string[] = []
  const replica = openReplica({
    connection: { ...NO_POSTGRES, isSet: true, url },
    primary,
    maxLagMs,
    log: (level, line) => void lines.push(`${level} ${line}`),
    ...(intervalMs !== undefined && { intervalMs }),
  })
  onTestFinished(() => replica.close())
  return Object.assign(replica, { lines })
}

/** Whether a database is a standby. */
export async function isStandby(database: Database): Promise<boolean> {
  const { rows } = await database.query<{ is: boolean }>("SELECT pg_is_in_recovery() AS is")
  return rows[0]!.is
}

/** Waits until a standby has replayed all that its primary has done, also what it has not written yet. */
export async function untilReplayed(primary: Database, standby: Database): Promise<void> {
  const { rows } = await primary.query<{ lsn: string }>("SELECT pg_current_wal_insert_lsn()::text AS lsn")
  const has = { text: "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS has", values: [rows[0]!.lsn] }
  await expect
    .poll(async () => (await standby.query<{ has: boolean }>(has)).rows[0]!.has, { timeout: 15_000 })
    .toBe(true)
}
