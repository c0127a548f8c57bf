import { GATEWAY_ACTOR } from "../core/actor.ts"
import type { Database } from "../database/_database.ts"
import { pruneRequests } from "../operations/prune.ts"

/** The first run waits, because a gateway that just started has other work. */
const FIRST_MS = 60_000
const EVERY_MS = 24 * 3_600_000

interface RetentionOptions {
  readonly database: Database
  /** How long requests are kept. Undefined means forever. */
  readonly retentionMs: number | undefined
  now(): number
  log(level: "info" | "warn", line: string): void
  readonly firstMs?: number
}

/**
 * Implements `logging.retention`: deletes old requests, one minute after the start and then daily. Totals of reports
 * stay.
 */
export function startRetention(options: RetentionOptions): { close(): Promise<void> } {
  const { database, retentionMs, now, log, firstMs = FIRST_MS } = options
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  async function run(keepMs: number): Promise<void> {
    try {
      const result = await pruneRequests(
        { database, now, onProgress: () => {}, actor: GATEWAY_ACTOR },
        { olderThanMs: keepMs, bodiesOnly: false, dryRun: false },
      )
      const { before, requests, bodies_left_in_s3: inS3 } = result
      const day = before.slice(0, 10)
      const rest =
        inS3 === 0
          ? ""
          : `. The bodies of ${inS3} of them stay in S3: add a lifecycle rule to the bucket to delete them`
      if (requests > 0)
        log("info", `retention: deleted ${requests} requests from before ${day}; the totals of reports stay${rest}`)
    } catch (error) {
      log(
        "warn",
        `retention: old requests could not be deleted (${error instanceof Error ? error.message : error}). The next attempt is in 24 hours`,
      )
    }
  }

  function schedule(keepMs: number, afterMs: number): void {
    timer = setTimeout(() => {
      running = run(keepMs)
      schedule(keepMs, EVERY_MS)
    }, afterMs).unref()
  }

  if (retentionMs !== undefined) schedule(retentionMs, firstMs)
  return {
    async close() {
      clearTimeout(timer)
      await running
    },
  }
}
