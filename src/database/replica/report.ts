import { toErrorCode } from "../failures.ts"

/** Why reports do not read the replica. `message` goes on with a sentence about it. */
export interface Problem {
  readonly code: "away" | "no_standby" | "other_database" | "other_schema" | "behind"
  readonly message: string
}

const REPLICA = "the replica (storage.postgres.read_url)"

/** Logs when the replica stops being used, and when it is used again, but not each report that this concerns. */
export function createReport(log: (level: "info" | "warn", line: string) => void) {
  let unusedSince: number | undefined
  let logged: Problem["code"] | undefined
  let hasFailed = false
  return {
    state(problem: Problem | undefined): void {
      if (problem?.code === logged) return
      logged = problem?.code
      if (problem !== undefined) {
        unusedSince ??= performance.now()
        log("warn", `${REPLICA} ${problem.message}: reports are read from the primary until this changes`)
        return
      }
      const seconds = Math.round((performance.now() - (unusedSince ?? 0)) / 1000)
      unusedSince = undefined
      hasFailed = false
      log("info", `${REPLICA} can be used again after ${seconds} s: reports are read from it`)
    },
    /** The primary has answered what the replica failed. A busy standby cancels long statements, each for this reason. */
    failed(error: unknown): void {
      if (hasFailed) return
      hasFailed = true
      const code = toErrorCode(error)
      const reason = code ?? (error instanceof Error ? error.message : "unknown")
      const advice = code === "40001" ? "; set hot_standby_feedback on it, or raise max_standby_streaming_delay" : ""
      log("warn", `${REPLICA} failed a report (${reason}), which the primary then answered${advice}`)
    },
  }
}
