import { statfs } from "node:fs/promises"
import type { Multiplexer } from "./multiplexer.ts"

/**
 * Does the work of PostgreSQL's background processes, which PGlite lacks: checkpoints, which keep WAL and recovery
 * short, and VACUUM (ANALYZE). It also checks the free disk space, because PGlite does not survive a full disk.
 */
interface Upkeep {
  isDiskLow(): boolean
  start(multiplexer: Multiplexer): void
  stop(): void
}

const MIN_FREE_BYTES = 64 * 1024 * 1024
const TICK_MS = 1_000
/** How often an idle database is checked for an answer. */
const IDLE_PING_MS = 15_000
const PING_LIMIT_MS = 10_000
const CHECKPOINT_MS = 5 * 60_000
const CHECKPOINT_WAL_BYTES = 32 * 1024 * 1024
/** The least WAL since the last checkpoint that makes another one worth its cost. */
const MIN_WAL_BYTES = 64 * 1024
const CHECKPOINT_LIMIT_MS = 5 * 60_000
const VACUUM_EVERY_MS = 60_000
const VACUUM_LIMIT_MS = 30 * 60_000

const WAL_SINCE_CHECKPOINT =
  "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), redo_lsn)::bigint FROM pg_catalog.pg_control_checkpoint()"
/**
 * Finds a table above the thresholds of PostgreSQL's autovacuum. One table at a time, so that clients can run between.
 */
const NEEDS_VACUUM = `SELECT pg_catalog.format('%I.%I', schemaname, relname) FROM pg_catalog.pg_stat_user_tables
  WHERE n_dead_tup > 1000 + 0.2 * n_live_tup OR n_ins_since_vacuum > 10000 + 0.2 * n_live_tup
    OR n_mod_since_analyze > 1000 + 0.1 * n_live_tup
  ORDER BY n_dead_tup + n_mod_since_analyze DESC LIMIT 1`

export function createUpkeep(directory: string, log: (line: string) => void): Upkeep {
  let isLow = false
  let timer: NodeJS.Timeout | undefined
  let isStopped = false

  async function checkDisk(): Promise<void> {
    const { bavail, bsize } = await statfs(directory)
    const isLowNow = bavail * bsize < MIN_FREE_BYTES
    if (isLowNow !== isLow) {
      log(
        isLowNow
          ? "embedded database: less than 64 MB of disk space is left; writes are rejected until you free some"
          : "embedded database: there is enough disk space again; writes are accepted",
      )
    }
    isLow = isLowNow
  }

  return {
    isDiskLow: () => isLow,
    start(multiplexer) {
      let seenUnits = -1
      let pingedAt = 0
      let checkpointAt = performance.now()
      let vacuumAt = performance.now()

      async function tick(): Promise<void> {
        await checkDisk()
        const now = performance.now()
        const isQuiet = multiplexer.unitCount() === seenUnits
        if (isQuiet && now - pingedAt < IDLE_PING_MS) return
        seenUnits = multiplexer.unitCount()
        pingedAt = now
        const [row] = await multiplexer.run(WAL_SINCE_CHECKPOINT, PING_LIMIT_MS)
        const walBytes = Number(row?.[0] ?? 0)
        const isDue = now - checkpointAt > CHECKPOINT_MS && walBytes > MIN_WAL_BYTES
        if (isDue || walBytes > CHECKPOINT_WAL_BYTES) {
          checkpointAt = now
          await multiplexer.run("CHECKPOINT", CHECKPOINT_LIMIT_MS)
        }
        if (isLow || now - vacuumAt < VACUUM_EVERY_MS || !multiplexer.isIdle()) return
        vacuumAt = now
        const [table] = await multiplexer.run(NEEDS_VACUUM, PING_LIMIT_MS)
        if (table?.[0]) await multiplexer.run(`VACUUM (ANALYZE) ${table[0]}`, VACUUM_LIMIT_MS)
      }

      const schedule = () => {
        if (isStopped) return
        // A failed tick needs no handling: the server restarts a dead engine, and the next tick repeats the rest.
        timer = setTimeout(
          () =>
            void tick()
              .catch(() => {})
              .finally(schedule),
          TICK_MS,
        )
        timer.unref()
      }
      void checkDisk()
        .catch(() => {})
        .finally(schedule)
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
