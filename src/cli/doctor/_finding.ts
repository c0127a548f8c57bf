/** What one check found. */
export interface Finding {
  readonly check: string
  readonly status: "ok" | "warning" | "problem" | "skipped"
  readonly message: string
  /** What to do about it. */
  readonly fix?: string
}

/** One check's findings; never empty. */
export type Check = () => Promise<readonly Finding[]>

export function finder(check: string) {
  return {
    ok: (message: string): Finding => ({ check, status: "ok", message }),
    skipped: (message: string): Finding => ({ check, status: "skipped", message }),
    warning: (message: string, fix?: string): Finding => ({ check, status: "warning", message, ...(fix && { fix }) }),
    problem: (message: string, fix?: string): Finding => ({ check, status: "problem", message, ...(fix && { fix }) }),
  }
}
