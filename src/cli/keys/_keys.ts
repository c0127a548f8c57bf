import type { ApiKey } from "../../database/keys.ts"
import { printable, toMoment, withThousands } from "../_text.ts"

export const ID = { type: "positional", required: true, description: "the key's id, as keys list shows it" } as const

/** The key as JSON shows it; its secret is nowhere. */
export function toKeyObject(key: ApiKey): Record<string, unknown> {
  return {
    id: key.id,
    name: key.name,
    description: key.description ?? null,
    status: toStatus(key),
    created_at: key.createdAt,
    revoked_at: key.revokedAt ?? null,
    last_used_at: key.lastUsedAt ?? null,
    request_count: key.requestCount,
  }
}

export function toStatus(key: ApiKey): "active" | "revoked" {
  return key.isActive ? "active" : "revoked"
}

/** One key, a line for each thing that is known of it. */
export function renderKey(key: ApiKey): string {
  const lines = [
    ["ID", key.id],
    ["Name", key.name],
    ["Description", key.description || "-"],
    ["Status", toStatus(key)],
    ["Created", toTime(key.createdAt)],
    ["Revoked", toTime(key.revokedAt)],
    ["Last used", toTime(key.lastUsedAt)],
    ["Requests", withThousands(key.requestCount)],
  ] as const
  return lines.map(([name, value]) => `${`${name}:`.padEnd(13)}${printable(value)}`).join("\n")
}

/** An ISO time as this machine's clock shows it. */
export function toTime(at: string | undefined): string {
  return at === undefined ? "-" : toMoment(new Date(at), Intl.DateTimeFormat().resolvedOptions().timeZone)
}
