import { EVENT_KINDS } from "../../config/notification-rules.ts"
import type { NotificationKind } from "../../core/notification.ts"
import type { NotificationSettings } from "../../core/notification-settings.ts"
import { readChannelStates } from "../../database/deliveries.ts"
import { maskAddress } from "../../notifications/address.ts"
import type { Context } from "../context.ts"

/** A channel as JSON shows it, without its secrets. */
interface ChannelObject {
  readonly name: string
  readonly type: string
  /** Where it sends to, without what is secret. */
  readonly address: string
  /** The kinds that rules send to it. */
  readonly kinds: readonly NotificationKind[]
  /** The digests that rules send to it, such as `week at 09:00`. */
  readonly digests: readonly string[]
  /** ISO 8601 in UTC. */
  readonly last_sent_at: string | null
  /** Why the last attempt failed; null if it succeeded. */
  readonly last_error: string | null
}

/** Lists the channels of the settings with what was sent to them last. */
export async function listChannels({
  database,
  settings,
}: Context<"database" | "settings">): Promise<readonly ChannelObject[]> {
  const states = new Map((await readChannelStates(database)).map((state) => [state.channel, state]))
  return Object.entries(settings.notifications.channels).map(([name, channel]) => {
    const state = states.get(name)
    return {
      name,
      type: channel.type,
      address: maskAddress(channel),
      ...findUses(name, settings.notifications),
      last_sent_at: state?.lastSentAt?.toISOString() ?? null,
      last_error: state?.lastError ?? null,
    }
  })
}

/** Returns what the rules send to a channel. */
export function findUses(name: string, { rules }: NotificationSettings): Pick<ChannelObject, "kinds" | "digests"> {
  if (rules === undefined) return { kinds: EVENT_KINDS, digests: [] }
  const own = rules.filter(({ to }) => to.includes(name))
  const kinds = [...new Set(own.flatMap((rule) => rule.kinds))].filter((kind) => kind !== "digest")
  const digests = own.flatMap(({ digest }) => (digest === undefined ? [] : [`${digest.every} at ${digest.at}`]))
  return { kinds, digests: [...new Set(digests)] }
}
