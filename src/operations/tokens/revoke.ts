import { recordChange } from "../../database/access/audit.ts"
import { markTokenRevoked, readTokens } from "../../database/access/tokens.ts"
import { isUuid } from "../../kit/uuid.ts"
import type { Context } from "../context.ts"
import { requireNamed } from "../named.ts"
import { type Token, toToken } from "./token.ts"

interface RevokedToken extends Token {
  /** The token had been revoked earlier, so nothing changed. */
  readonly was_revoked_before: boolean
}

/**
 * Revokes an admin token and ends its sessions. When the promise resolves, every gateway of this database rejects it.
 *
 * @param input `id` is the token's id, the beginning of its id (four characters or more), or its name. A token that is no
 *   longer valid counts only if no valid one has the name.
 * @throws NotFoundError if there is no such token
 * @throws CommandError if there are several
 */
export async function revokeToken(
  { database, actor, now }: Context<"database" | "actor" | "now">,
  { id: given }: { readonly id: string },
): Promise<RevokedToken> {
  return database.transaction(async (query) => {
    const id = isUuid(given) ? given : await findTokenId({ query }, given, now())
    const { before, after } = await markTokenRevoked(query, id)
    const wasRevokedBefore = before.revoked_at !== null
    const [was, is] = [toToken(before, now()), toToken(after, now())]
    if (!wasRevokedBefore) {
      await recordChange(query, actor, { action: "tokens.revoke", target: is.id, before: was, after: is })
    }
    return { ...is, was_revoked_before: wasRevokedBefore }
  })
}

async function findTokenId(database: Parameters<typeof readTokens>[0], text: string, now: number): Promise<string> {
  const all = (await readTokens(database)).map((token) => {
    const { id, name, status } = toToken(token, now)
    return { id, name, isActive: status === "active" }
  })
  return requireNamed(text, all, { one: "admin token", several: "admin tokens", list: "tokens list" }).id
}
