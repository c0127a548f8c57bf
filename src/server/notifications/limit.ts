import { UNIT_OF_MEASURE } from "../../core/limit-error.ts"
import type { LimitFacts, Notification } from "../../core/notification.ts"
import type { Threshold } from "../../limits/index.ts"

/** Returns the notification that a limit has passed a percentage. Each amount and each window of the limit has its own. */
export function toLimitNotification(threshold: Threshold, now: number): Notification<"limit"> {
  const { limit, value, percent, used, amount, windowStart, windowEnd } = threshold
  const facts: LimitFacts = {
    limit_id: limit.id,
    name: limit.name,
    value,
    percent,
    used,
    amount,
    unit: UNIT_OF_MEASURE[limit.measure],
    action: limit.action,
    resets_at: windowEnd === undefined ? undefined : new Date(windowEnd).toISOString(),
  }
  return {
    kind: "limit",
    subject: `${limit.id} ${percent}% ${value}`.trim(),
    window: `${new Date(windowStart).toISOString()}/${amount}`,
    severity: percent >= 100 && limit.action === "block" ? "critical" : "warning",
    at: new Date(now).toISOString(),
    facts,
  }
}
