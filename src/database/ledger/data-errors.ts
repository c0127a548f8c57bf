import { toErrorCode } from "../failures.ts"

/**
 * True when the database refuses the data, so that sending it again is no use: SQLSTATE classes 22 (data exception),
 * 23 (integrity constraint) and 54 (a limit: too deep, too long). Everything else may pass by itself.
 */
export function isDataError(error: unknown): boolean {
  return /^(?:22|23|54)...$/.test(toErrorCode(error) ?? "")
}

/** True when the tables are not those of this version (42P01, 42703, 42P10): rows wait for `migrate`. */
export function isSchemaMismatch(error: unknown): boolean {
  return /^42(?:P01|703|P10|804)$/.test(toErrorCode(error) ?? "")
}

/** For a log line: never a value of a row, which messages of classes 22 and 23 may quote. */
export function describeFailure(error: unknown): string {
  const code = toErrorCode(error)
  if (isDataError(error)) return `SQLSTATE ${code}`
  const message = error instanceof Error ? error.message : ""
  return [code, message].filter(Boolean).join(": ") || "unknown error"
}
