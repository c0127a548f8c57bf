import type { Database } from "../database/_database.ts"
import { countPastRuns } from "../database/past-runs.ts"

interface PastRunsOptions {
  readonly database: Database
  log(level: "info" | "warn", line: string): void
}

/**
 * Completes the rollup of agent runs once after an upgrade, while the gateway serves. Lists of runs are right meanwhile, but
 * slow. What the end of the gateway interrupts continues at the next start.
 */
export function startPastRuns({ database, log }: PastRunsOptions): { close(): Promise<void> } {
  let isStopped = false
  const running = countPastRuns(database, {
    onStart: () => log("info", "runs: adding earlier requests to the rollup of agent runs"),
    isStopped: () => isStopped,
  }).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    if (!isStopped)
      log(
        "warn",
        `runs: earlier requests could not be added to the rollup of agent runs: ${reason}. The next start continues`,
      )
  })
  return {
    async close() {
      isStopped = true
      await running
    },
  }
}
