import { appendFileSync } from "node:fs"
import { join } from "node:path"
import { describeFailure } from "./data-errors.ts"
import type { Log } from "./outage.ts"

/** Rows that the database rejects are stored here, beside the journal, one JSON object per line. */
export const REJECTED_FILE = "rejected.jsonl"

/** A row that the database rejected in every form. */
export interface RejectedRow {
  readonly line: string
  readonly reason: string
}

/** Stores rejected rows on the disk for a person to look at, and logs where they are. Returns whether they are there. */
export function storeRejected(dir: string, rows: readonly RejectedRow[], log: Log): boolean {
  const file = join(dir, REJECTED_FILE)
  const count = `${rows.length} ${rows.length === 1 ? "row" : "rows"}`
  const what = `the database rejected ${count} even without their details (${rows[0]!.reason})`
  try {
    appendFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""), { mode: 0o600, flush: true })
    log("error", `${what}; see ${file}`)
    return true
  } catch (error) {
    log("error", `${what}, and ${file} cannot be written: ${describeFailure(error)}`)
    return false
  }
}
