import { toErrorCode } from "../failures.ts"

/**
 * Returns whether the database rejected the data, so that it would reject the same row again: SQLSTATE classes 22 (data
 * exception), 23 (integrity constraint) and 54 (a program limit: too deep, too long). Any other error may pass.
 */
export function isDataError(error: unknown): boolean {
  return /^(?:22|23|54)...$/.test(toErrorCode(error) ?? "")
}

/** Returns whether the tables are not those of this version (42P01, 42703, 42P10, 42804). Rows then wait for `migrate`. */
export function isSchemaMismatch(error: unknown): boolean {
  return /^42(?:P01|703|P10|804)$/.test(toErrorCode(error) ?? "")
}

/** Describes an error for a log line. It never contains a value of a row, which messages of data errors may quote. */
export function describeFailure(error: unknown): string {
  const code = toErrorCode(error)
  if (isDataError(error)) return `SQLSTATE ${code}`
  const message = error instanceof Error ? error.message : ""
  return [code, message].filter(Boolean).join(": ") || "unknown error"
}
