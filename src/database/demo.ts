import type { LogRecord } from "../core/log-record.ts"
import type { Database } from "./_database.ts"
import { INSERT_ROWS } from "./ledger/insert.ts"

const ROWS_AT_ONCE = 500

/** Empties every table, then lets `fill` write rows as the ledger does. Throws for any database but the embedded one. */
export async function refillDemo(
  db: Database,
  fill: (insert: (rows: readonly LogRecord[]) => Promise<void>) => Promise<void>,
): Promise<void> {
  if (db.kind !== "embedded") throw new Error("demo samples may only be written to the demo's own embedded database")
  // Triggers empty what belongs to these tables, and fail for a table that is named here too.
  await db.query(
    "TRUNCATE llm_requests, llm_requests_metadata_keys, llm_usage_metadata_names, api_keys, llm_limits, llm_reconciliations, llm_bill_lines, majordomo_notifications, majordomo_deliveries",
  )
  await fill(async (rows) => {
    for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
      await db.query({ text: INSERT_ROWS, values: [JSON.stringify(rows.slice(at, at + ROWS_AT_ONCE))] })
    }
  })
}
