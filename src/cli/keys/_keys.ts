import type { Key } from "../../operations/keys/key.ts"
import { printable, toMoment, withThousands } from "../_text.ts"

export const ID = { type: "positional", required: true, description: "the key's id, as keys list shows it" } as const

export const DISCOUNT = {
  type: "string",
  valueHint: "PERCENT",
  description: "what the provider takes off its list prices for this key, such as 12.5",
} as const

export const PROVIDER_KEY = {
  type: "string",
  valueHint: "PROVIDER:ALIAS",
  description: "a provider key of provider-keys list that its requests use (repeatable, one for each provider)",
} as const

/** Renders one key, with a line for each of its members. */
export function renderKey(key: Key): string {
  const lines = [
    ["ID", key.id],
    ["Name", key.name],
    ["Description", key.description || "-"],
    ["Discount", toDiscount(key)],
    ["Status", key.status],
    ...(key.provider_keys.length === 0 ? [] : [["Bound to", toBindings(key)] as const]),
    ["Created", toTime(key.created_at)],
    ["Revoked", toTime(key.revoked_at)],
    ["Last used", toTime(key.last_used_at)],
    ["Requests", withThousands(key.request_count)],
  ] as const
  return lines.map(([name, value]) => `${`${name}:`.padEnd(13)}${printable(value)}`).join("\n")
}

/** Renders the provider keys that a key is bound to. */
function toBindings({ provider_keys: keys }: Key): string {
  return keys.map(({ provider, alias, removed }) => `${provider}:${alias}${removed ? " (removed)" : ""}`).join(", ")
}

/** Renders a key's discount, such as `12.5%`. */
export function toDiscount({ discount_percent: percent }: Key): string {
  return percent === null ? "-" : `${percent}%`
}

/** Renders an ISO time in this machine's time zone. */
export function toTime(at: string | null): string {
  return at === null ? "-" : toMoment(new Date(at), Intl.DateTimeFormat().resolvedOptions().timeZone)
}
