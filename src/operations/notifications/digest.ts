import type { DigestFacts, DigestGroup, Notification } from "../../core/notification.ts"
import type { Context } from "../context.ts"

interface DigestInput {
  readonly every: DigestFacts["every"]
  readonly now: number
  readonly timeZone: string
}

const DAYS = { day: 1, week: 7, month: 31 } as const
const NO_GROUPS: readonly DigestGroup[] = []

/** Summarizes the last day, week or month. */
export async function buildDigest(
  _context: Context<"database" | "settings">,
  { every, now, timeZone }: DigestInput,
): Promise<Notification<"digest">> {
  const facts: DigestFacts = {
    every,
    since: new Date(now - DAYS[every] * 86_400_000).toISOString(),
    until: new Date(now).toISOString(),
    time_zone: timeZone,
    cost: "0",
    previous_cost: "0",
    requests: 0,
    previous_requests: 0,
    errors: 0,
    exact_cost: "0",
    estimated_cost: "0",
    unpriced_requests: 0,
    course: [],
    top: [{ dimension: "model", groups: NO_GROUPS }],
    changes: [],
    budgets: [],
    reconciliations: [],
    attention: [],
  }
  return { kind: "digest", subject: every, window: facts.until.slice(0, 10), severity: "info", at: facts.until, facts }
}
