import { recordChange } from "../../database/access/audit.ts"
import { markTokenRevoked } from "../../database/access/tokens.ts"
import type { Context } from "../context.ts"
import { type Token, toToken } from "./token.ts"

interface RevokedToken extends Token {
  /** The token had been revoked earlier, so nothing changed. */
  readonly was_revoked_before: boolean
}

/**
 * Revokes an admin token and ends its sessions. When the promise resolves, every gateway of this database rejects it.
 *
 * @throws NotFoundError if no token has the id
 */
export async function revokeToken(
  { database, actor, now }: Context<"database" | "actor" | "now">,
  { id }: { readonly id: string },
): Promise<RevokedToken> {
  return database.transaction(async (query) => {
    const { before, after } = await markTokenRevoked(query, id)
    const wasRevokedBefore = before.revoked_at !== null
    const [was, is] = [toToken(before, now()), toToken(after, now())]
    if (!wasRevokedBefore) {
      await recordChange(query, actor, { action: "tokens.revoke", target: is.id, before: was, after: is })
    }
    return { ...is, was_revoked_before: wasRevokedBefore }
  })
}
