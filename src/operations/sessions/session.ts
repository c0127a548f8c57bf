import type { Role } from "../../core/actor.ts"
import type { StoredSession } from "../../database/access/sessions.ts"

/** A session of the dashboard as JSON shows it. Times are ISO 8601 in UTC. */
export interface Session {
  readonly id: string
  readonly name: string
  readonly role: Role
  /** How the person signed in. */
  readonly how: "token" | "code" | "oidc"
  readonly token_id: string | null
  readonly address: string | null
  readonly status: "active" | "expired" | "ended"
  readonly created_at: string
  readonly expires_at: string
  readonly last_seen_at: string
}

/** Returns the public form of a stored session. */
export function toSession(session: StoredSession, now: number): Session {
  const isExpired = session.expires_at.getTime() <= now
  return {
    id: session.id,
    name: session.name,
    role: session.role,
    how: session.how,
    token_id: session.token_id,
    address: session.address,
    status: session.revoked_at !== null ? "ended" : isExpired ? "expired" : "active",
    created_at: session.created_at.toISOString(),
    expires_at: session.expires_at.toISOString(),
    last_seen_at: session.last_seen_at.toISOString(),
  }
}
