import type { Ending } from "../core/call.ts"

const OTHER = "(other)"
const DAY_MS = 86_400_000
/** Names per UTC day and process: of answers, and of requests that failed or were not answered. */
const MAX_ANSWERED = 1000
const MAX_FAILED = 100

/**
 * Limits how many names of models the rows of one day have, because reports keep a sum per model. A client can invent
 * names without limit, and some providers repeat any name. Names beyond the limit become `(other)`. A row keeps the name
 * that was requested in `requested_model`.
 */
export class ModelNames {
  private readonly answered = new Set<string>()
  private readonly failed = new Set<string>()
  private day = 0

  /** Returns the model that a row counts for. */
  limit(model: string, { statusCode, respondedAt }: Pick<Ending, "statusCode" | "respondedAt">): string {
    const day = Math.floor(respondedAt / DAY_MS)
    if (day !== this.day) this.start(day)
    if (model === "" || this.answered.has(model)) return model
    const hasFailed = statusCode >= 400
    const names = hasFailed ? this.failed : this.answered
    if (names.has(model)) return model
    if (names.size >= (hasFailed ? MAX_FAILED : MAX_ANSWERED)) return OTHER
    names.add(model)
    return model
  }

  private start(day: number): void {
    this.day = day
    this.answered.clear()
    this.failed.clear()
  }
}
