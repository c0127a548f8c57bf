import type { Notification, NotificationSeverity } from "../core/notification.ts"
import type { NotificationRule, NotificationSettings } from "../core/notification-settings.ts"

const SEVERITIES: readonly NotificationSeverity[] = ["info", "warning", "critical"]

/** Returns the names of the channels to which the rules send a notification. */
export function findChannels(notification: Notification, { channels, rules }: NotificationSettings): readonly string[] {
  if (rules === undefined) return notification.kind === "digest" ? [] : Object.keys(channels)
  return [...new Set(rules.filter((rule) => matches(rule, notification)).flatMap(({ to }) => to))]
}

/** Returns whether any rule may send notifications of a kind, so that it is worth looking for them. */
export function isWanted(kind: Notification["kind"], { channels, rules }: NotificationSettings): boolean {
  if (Object.keys(channels).length === 0) return false
  return rules === undefined ? kind !== "digest" : rules.some(({ kinds }) => kinds.includes(kind))
}

function matches({ kinds, severity, limits, providers }: NotificationRule, notification: Notification): boolean {
  const { kind, facts } = notification
  if (!kinds.includes(kind)) return false
  if (severity !== undefined && SEVERITIES.indexOf(notification.severity) < SEVERITIES.indexOf(severity)) return false
  if (limits !== undefined && !("limit_id" in facts && limits.includes(facts.name))) return false
  return providers === undefined || ("provider" in facts && providers.includes(facts.provider))
}
