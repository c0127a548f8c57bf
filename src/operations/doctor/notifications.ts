import { maskAddress } from "../../notifications/address.ts"
import type { Context } from "../context.ts"
import { findUses } from "../notifications/channels.ts"
import { type Finding, findingsOf } from "./finding.ts"

/** Checks that each channel of notifications is used by a rule. Nothing is sent: `notify test` does that. */
export async function checkNotifications({ settings }: Context<"settings">): Promise<Finding[]> {
  const { ok, warning, skipped } = findingsOf("notifications")
  const { notifications } = settings
  const channels = Object.entries(notifications.channels)
  if (channels.length === 0) return [skipped("no channel is set (notifications.channels)")]
  return channels.map(([name, channel]) => {
    const { kinds, digests } = findUses(name, notifications)
    const where = `${name} (${channel.type}, ${maskAddress(channel)})`
    if (kinds.length + digests.length === 0) {
      return warning(`no rule sends anything to ${where}`, "name it in notifications.rules, or remove it")
    }
    const count = kinds.length === 1 ? "1 kind" : `${kinds.length} kinds`
    const digest = digests.length === 0 ? "" : `, and the digest of each ${digests.join(" and of each ")}`
    return ok(`${where} gets ${count} of notifications${digest}; majordomo-gateway notify test ${name} tries it`)
  })
}
