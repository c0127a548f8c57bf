import { recordChange } from "../../database/access/audit.ts"
import type { GatewayAnswers } from "../../database/gateways.ts"
import { revokeKey as markRevoked } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import { requireKeyId } from "./find.ts"
import { type Key, readKeyView } from "./key.ts"

/** A gateway of this database. Times are ISO 8601 in UTC. */
interface GatewayState {
  /** Its host and process. */
  readonly name: string
  readonly last_seen_at: string
}

interface SilentGateway extends GatewayState {
  /** When it stops accepting the key, at the latest; null for an older version, which has no limit. */
  readonly accepts_until: string | null
}

export interface RevokedKey extends Key {
  /** The key had been revoked earlier, so nothing changed. */
  readonly was_revoked_before: boolean
  readonly gateways: {
    /** The gateways that reject the key from now on. */
    readonly acknowledged: readonly GatewayState[]
    /** The gateways that did not answer. While they cannot reach the database, they may still accept the key. */
    readonly silent: readonly SilentGateway[]
  }
}

/**
 * Revokes an API key. When the promise resolves, every gateway of this database rejects the key, except those that are
 * `silent`.
 *
 * @throws CommandError if no key has the id
 */
export async function revokeKey(
  { database, actor, now }: Context<"database" | "actor" | "now">,
  { id: given }: { readonly id: string },
): Promise<RevokedKey> {
  const id = await requireKeyId(database.query, given)
  const view = await readKeyView(database.query, now())
  const { key, wasRevokedBefore, gateways } = await markRevoked(database, id, (query, before, after) =>
    recordChange(query, actor, { action: "keys.revoke", target: id, before: view(before), after: view(after) }),
  )
  return { ...view(key), was_revoked_before: wasRevokedBefore, gateways: toGateways(gateways) }
}

/** Returns the public form of what the gateways answered. */
export function toGateways({ acknowledged, silent }: GatewayAnswers): RevokedKey["gateways"] {
  return {
    acknowledged: acknowledged.map(({ name, lastSeenAt }) => ({ name, last_seen_at: lastSeenAt })),
    silent: silent.map(({ name, lastSeenAt, acceptsUntil }) => {
      return { name, last_seen_at: lastSeenAt, accepts_until: acceptsUntil ?? null }
    }),
  }
}
