import { findSession as find, readCookieKey } from "../../database/access/sessions.ts"
import type { Context } from "../context.ts"
import { type Session, toSession } from "./session.ts"

/** Returns the session with this secret; undefined if it has ended, or its token is not valid any more. */
export async function findSession(
  { database, now }: Context<"database" | "now">,
  { secret }: { readonly secret: string },
): Promise<Session | undefined> {
  const stored = await find(database, secret)
  return stored && toSession(stored, now())
}

/** Returns the key that signs the cookies of all sessions of this database. */
export function getCookieKey({ database }: Context<"database">): Promise<string> {
  return readCookieKey(database)
}
