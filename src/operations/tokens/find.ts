import type { Actor } from "../../core/actor.ts"
import { isAdminToken } from "../../core/key.ts"
import { findToken } from "../../database/access/tokens.ts"
import type { Context } from "../context.ts"

/** Returns who calls with an admin token; undefined if the token is not valid. */
export async function findTokenActor(
  { database }: Context<"database">,
  { token, address }: { readonly token: string; readonly address: string | null },
): Promise<Actor | undefined> {
  if (!isAdminToken(token)) return undefined
  const found = await findToken(database, token)
  return found && { kind: "token", name: found.name, role: found.role, id: found.id, address }
}
