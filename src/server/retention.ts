import type { Database } from "../database/_database.ts"
import { pruneRequests } from "../operations/prune.ts"

/** Not at once: a gateway that just started has other things to do. */
const FIRST_MS = 60_000
const EVERY_MS = 24 * 3_600_000

export interface RetentionOptions {
  readonly database: Database
  /** How long requests are kept; undefined: for ever. */
  readonly retentionMs: number | undefined
  now(): number
  log(level: "info" | "warn", line: string): void
  readonly firstMs?: number
}

/** `logging.retention`: deletes the requests that are older, soon and then once a day. The sums of reports stay. */
export function startRetention(options: RetentionOptions): { close(): Promise<void> } {
  const { database, retentionMs, now, log, firstMs = FIRST_MS } = options
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  async function run(keepMs: number): Promise<void> {
    try {
      const result = await pruneRequests(
        { database, now, onProgress: () => {} },
        { olderThanMs: keepMs, bodiesOnly: false, dryRun: false },
      )
      const { before, requests, bodies_left_in_s3: inS3 } = result
      const day = before.slice(0, 10)
      const rest =
        inS3 === 0 ? "" : `, and so do the bodies of ${inS3} in S3: a lifecycle rule of the bucket deletes those`
      if (requests > 0)
        log("info", `retention: ${requests} requests from before ${day} were deleted; their sums stay${rest}`)
    } catch (error) {
      log(
        "warn",
        `retention: old requests could not be deleted (${error instanceof Error ? error.message : error}); tomorrow again`,
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
