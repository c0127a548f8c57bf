import type { Database } from "../database/_database.ts"
import { countPastRuns } from "../database/past-runs.ts"

const RETRY_MS = 10 * 60_000

interface PastRunsOptions {
  readonly database: Database
  log(level: "info" | "warn", line: string): void
  readonly retryMs?: number
}

/**
 * Completes the rollup of agent runs once after an upgrade, while the gateway serves. Lists of runs are right meanwhile, but
 * slow. What the end of the gateway interrupts continues at the next start.
 */
export function startPastRuns({ database, log, retryMs = RETRY_MS }: PastRunsOptions): { close(): Promise<void> } {
  let isClosed = false
  let timer: NodeJS.Timeout | undefined
  let running = run()

  async function run(): Promise<void> {
    try {
      const onStart = () => log("info", "runs: adding earlier requests to the rollup of agent runs")
      await countPastRuns(database, { onStart, isStopped: () => isClosed })
    } catch (error) {
      if (isClosed) return
      const reason = error instanceof Error ? error.message : String(error)
      log("warn", `runs: earlier requests could not be added to the rollup of agent runs: ${reason}. It is tried again`)
      timer = setTimeout(() => {
        running = run()
      }, retryMs).unref()
    }
  }

  return {
    async close() {
      isClosed = true
      clearTimeout(timer)
      await running
    },
  }
}
