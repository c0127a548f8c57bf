import type { Notification } from "../../core/notification.ts"
import { findLimit } from "../../database/limits.ts"
import { storeNotification } from "../../database/notifications.ts"
import type { Context } from "../context.ts"
import { findAnomalies } from "./anomalies.ts"
import { listBudgets } from "./budgets.ts"
import { buildDigest } from "./digest.ts"

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** An agent of the demo repeats itself on this day. An anomaly is looked for every three hours. */
const INCIDENT_DAYS_AGO = 5
const INCIDENT_HOURS = [10, 13, 16, 19]

/**
 * Stores notifications for the demo: the anomaly and the digest that gateways would have found in its requests, and the
 * budget that is nearest to its amount. They are sent nowhere, because the demo has no channels.
 */
export async function storeSampleNotifications(context: Context<"database" | "settings" | "now">): Promise<void> {
  const { database, now } = context
  const digest = await buildDigest(context, { every: "week", now: now(), timeZone: "UTC" })
  const found = [...(await findIncident(context)), digest, ...(await findBudget(context))]
  for (const notification of found.toSorted((a, b) => (a.at < b.at ? -1 : 1))) {
    await storeNotification(database.query, notification, [])
  }
}

async function findIncident({ database, now }: Context<"database" | "now">): Promise<readonly Notification[]> {
  const midnight = Math.floor(now() / DAY_MS) * DAY_MS - INCIDENT_DAYS_AGO * DAY_MS
  for (const hour of INCIDENT_HOURS) {
    const at = midnight + hour * HOUR_MS + 180_000
    const found = await findAnomalies({ database }, { now: at, timeZone: "UTC" })
    if (found.length > 0) return found.slice(0, 1)
  }
  return []
}

async function findBudget({ database, now }: Context<"database" | "now">): Promise<readonly Notification[]> {
  const [budget] = await listBudgets({ database }, now())
  if (budget === undefined) return []
  const { name, value, used, amount, unit, resets_at } = budget
  const at = new Date(now()).toISOString()
  const limit = await findLimit(database, name)
  const facts = {
    limit_id: limit?.id ?? name,
    name,
    value,
    percent: 80,
    used,
    amount,
    unit,
    action: "warn",
    resets_at,
  } as const
  return [{ kind: "limit", subject: `${name} 80%`, window: at.slice(0, 7), severity: "warning", at, facts }]
}
