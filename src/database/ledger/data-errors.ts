import { toErrorCode } from "../failures.ts"

/**
 * The meaning of an error for the rows of the statement that failed.
 *
 * * `data`: the database rejects the rows and would reject them again: SQLSTATE classes 22 (data exception), 23 (integrity
 *   constraint) and 54 (a program limit: too deep, too long).
 * * `passing`: the server cannot take any row at this moment: it is read-only, full, stopping, locked, or out of
 *   connections, or a deadlock ended the statement. The same rows may succeed later. So may a row whose partition was made
 *   while its statement ran.
 * * `lost`: there is no connection, or no answer in time. One row can be the reason, such as one that is larger than a message of
 *   the server may be.
 * * `unclear`: any other error of the server, such as one that a trigger raises (P0001). It may be about all rows or about
 *   one.
 */
type FailureKind = "data" | "passing" | "lost" | "unclear"

const DATA = /^(?:22|23|54)...$/
/**
 * A foreign key can fail for a moment, because a key that is deleted meanwhile disappears between two checks. No column
 * of a row has one in our schema.
 */
const FOREIGN_KEY = "23503"
/** The functions of PostgreSQL that find the partition of a row. They raise 23514, as a CHECK constraint does. */
const ROUTING = /^Exec(?:FindPartition|PartitionCheckEmitError)$/
/** `query_canceled`: `statement_timeout` has ended the statement. It says as little as a timeout of this program. */
const CANCELED = "57014"
/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const PASSING = /^(?:25...|28...|3D...|40...|53...|55...|57P..|58...)$/
const SQLSTATE = /^(?!E[A-Z]{4})[0-9A-Z]{5}$/

/** Returns what an error of a batch says about its rows. */
export function kindOfFailure(error: unknown): FailureKind {
  const code = toErrorCode(error) ?? ""
  // An error that ends the session is about the connection. A code of Node, such as ECONNREFUSED, has no severity.
  if (!SQLSTATE.test(code)) return "lost"
  if (PASSING.test(code) || ROUTING.test(String((error as { routine?: unknown }).routine))) return "passing"
  const severity = (error as { severity?: unknown }).severity
  if (code === CANCELED || code.startsWith("08") || severity === "FATAL" || severity === "PANIC") return "lost"
  return DATA.test(code) && code !== FOREIGN_KEY ? "data" : "unclear"
}

/** Returns whether the tables are not those of this version (42P01, 42703, 42P10, 42804). Rows then wait for `migrate`. */
export function isSchemaMismatch(error: unknown): boolean {
  return /^42(?:P01|703|P10|804)$/.test(toErrorCode(error) ?? "")
}

/**
 * Describes an error for a log line. It never contains a value of a row, which messages about data may quote, and so may
 * those of a user's own trigger (class P0).
 */
export function describeFailure(error: unknown): string {
  const code = toErrorCode(error) ?? ""
  if (DATA.test(code) || /^P0...$/.test(code)) return `SQLSTATE ${code}`
  const message = error instanceof Error ? error.message : ""
  return [code, message].filter(Boolean).join(": ") || "unknown error"
}
