import type { Database } from "../database/_database.ts"
import type { Probe } from "./app.ts"

const TIMEOUT_MS = 3000

export interface ProbeOptions {
  readonly database: Database
  isStopping(): boolean
  /** Rows that are not in the database yet. */
  countWaiting(): number
}

/** Readiness: the database answers, and the gateway is not stopping. Probes that come together ask it once. */
export function createProbe({ database, isStopping, countWaiting }: ProbeOptions): Probe {
  let asking: Promise<string | undefined> | undefined
  async function ask(): Promise<string | undefined> {
    try {
      await database.query({ text: "SELECT 1", timeoutMs: TIMEOUT_MS })
      return undefined
    } catch {
      const waiting = countWaiting()
      const rows = waiting === 1 ? "1 row waits" : `${waiting} rows wait`
      return `the database does not answer (${database.kind}); ${rows} in the journal`
    } finally {
      asking = undefined
    }
  }
  return {
    async notReadyReason() {
      if (isStopping()) return "the gateway is shutting down"
      asking ??= ask()
      return asking
    },
  }
}
