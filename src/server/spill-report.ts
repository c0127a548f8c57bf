import type { ServerOptions } from "./options.ts"

/** Every large request finds the same full disk, so one line a minute says it. */
const REPORT_INTERVAL_MS = 60_000

/** Returns a function that logs why large request bodies cannot be stored, once a minute at most. */
export function createSpillReport(dir: string, log: ServerOptions["log"]): (error: unknown) => void {
  let reportedAt = Number.NEGATIVE_INFINITY
  return (error) => {
    if (performance.now() - reportedAt < REPORT_INTERVAL_MS) return
    reportedAt = performance.now()
    const { code, message } = error as NodeJS.ErrnoException
    log(
      "error",
      `large requests cannot be stored in ${dir} (${code ?? message}): they stay in memory while there is enough, and are rejected with 503 otherwise. Free disk space, or move storage.data_dir to a larger disk`,
    )
  }
}
