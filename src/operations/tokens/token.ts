import type { Role } from "../../core/actor.ts"
import type { AdminToken } from "../../database/access/tokens.ts"

/** An admin token as JSON shows it. Its secret is not part of it. Times are ISO 8601 in UTC. */
export interface Token {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly status: "active" | "expired" | "revoked"
  readonly created_at: string
  /** The name of the person, token or system user that created it. */
  readonly created_by: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  readonly last_used_at: string | null
}

/** Returns the public form of a stored token. */
export function toToken(token: AdminToken, now: number): Token {
  const isExpired = token.expires_at !== null && token.expires_at.getTime() <= now
  return {
    id: token.id,
    name: token.name,
    role: token.role,
    status: token.revoked_at !== null ? "revoked" : isExpired ? "expired" : "active",
    created_at: token.created_at.toISOString(),
    created_by: token.created_by,
    expires_at: token.expires_at?.toISOString() ?? null,
    revoked_at: token.revoked_at?.toISOString() ?? null,
    last_used_at: token.last_used_at?.toISOString() ?? null,
  }
}
