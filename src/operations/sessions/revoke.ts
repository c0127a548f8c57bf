import { recordChange } from "../../database/access/audit.ts"
import { markSessionRevoked } from "../../database/access/sessions.ts"
import type { Context } from "../context.ts"
import { type Session, toSession } from "./session.ts"

/**
 * Ends a session. From then on, every gateway of this database rejects it.
 *
 * @throws NotFoundError if no session has the id
 */
export async function revokeSession(
  { database, actor, now }: Context<"database" | "actor" | "now">,
  { id }: { readonly id: string },
): Promise<Session> {
  return database.transaction(async (query) => {
    const { session: stored, isNew } = await markSessionRevoked(query, id)
    const session = toSession(stored, now())
    if (isNew) await recordChange(query, actor, { action: "sessions.revoke", target: id, after: session })
    return session
  })
}
