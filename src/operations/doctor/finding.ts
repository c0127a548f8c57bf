import type { Attention } from "../status/attention.ts"

/** The result of one check. */
export interface Finding {
  /** The name of the check, such as `database`. */
  readonly check: string
  readonly status: "ok" | "warning" | "problem" | "skipped"
  readonly message: string
  /** The advice to the operator. */
  readonly fix?: string
}

/** Returns functions that make the findings of one check. */
export function findingsOf(check: string) {
  return {
    ok: (message: string): Finding => ({ check, status: "ok", message }),
    skipped: (message: string): Finding => ({ check, status: "skipped", message }),
    warning: (message: string, fix?: string): Finding => ({ check, status: "warning", message, ...(fix && { fix }) }),
    problem: (message: string, fix?: string): Finding => ({ check, status: "problem", message, ...(fix && { fix }) }),
  }
}

/** Returns the findings of the check `records`. @param well the message if nothing needs attention */
export function toRecordFindings(attention: readonly Attention[], well: string): Finding[] {
  const { ok, warning, problem } = findingsOf("records")
  if (attention.length === 0) return [ok(well)]
  return attention.map(({ level, message, fix }) => (level === "problem" ? problem : warning)(message, fix))
}
