import type { Database } from "../database/_database.ts"
import { findKeyNames } from "../database/key-names.ts"
import type { LateRow } from "../database/ledger/late.ts"
import type { Metrics } from "./metrics.ts"

const RETRY_MS = 1000

interface LateRows {
  add(rows: readonly LateRow[]): void
  close(): void
}

/**
 * Gives rows that became known late to the metrics and the telemetry, with the names of their keys: the rows themselves have the ids. The
 * rows wait until the database answers, so that none is counted under a wrong name.
 */
export function createLateRows(database: Database, listeners: readonly Metrics["onLate"][]): LateRows {
  let waiting: LateRow[] = []
  let timer: NodeJS.Timeout | undefined
  let isRunning = false

  async function run(): Promise<void> {
    isRunning = true
    while (waiting.length > 0 && timer === undefined) {
      const rows = waiting
      waiting = []
      try {
        const ids = new Set(rows.flatMap(({ record }) => record.majordomo_api_key_id ?? []))
        const names = await findKeyNames(database, [...ids])
        for (const row of rows) {
          const name = names.get(row.record.majordomo_api_key_id ?? "")
          for (const onLate of listeners) onLate(row, name)
        }
      } catch {
        waiting = [...rows, ...waiting]
        timer = setTimeout(() => {
          timer = undefined
          void run()
        }, RETRY_MS).unref()
      }
    }
    isRunning = false
  }

  return {
    add(rows) {
      waiting.push(...rows)
      if (!isRunning && timer === undefined) void run()
    },
    close: () => clearTimeout(timer),
  }
}
