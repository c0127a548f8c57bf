import type { Database } from "../database/_database.ts"
import type { Probe } from "./app.ts"

const TIMEOUT_MS = 3000

interface ProbeOptions {
  readonly database: Database
  isStopping(): boolean
  /** The number of rows that are not in the database yet. */
  countWaiting(): number
}

/**
 * Creates the readiness probe: the database must answer, and the gateway must not be stopping. Probes at the same time
 * share one query.
 */
export function createProbe({ database, isStopping, countWaiting }: ProbeOptions): Probe {
  let running: Promise<string | undefined> | undefined
  async function ask(): Promise<string | undefined> {
    try {
      await database.query({ text: "SELECT 1", timeoutMs: TIMEOUT_MS })
      return undefined
    } catch {
      const waiting = countWaiting()
      const rows = waiting === 1 ? "1 row waits" : `${waiting} rows wait`
      return `the database does not answer (${database.kind}); ${rows} in the journal`
    } finally {
      running = undefined
    }
  }
  return {
    async notReadyReason() {
      if (isStopping()) return "the gateway is shutting down"
      running ??= ask()
      return running
    },
  }
}
