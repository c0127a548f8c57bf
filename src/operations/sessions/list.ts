import { readSessions } from "../../database/access/sessions.ts"
import type { Context } from "../context.ts"
import { type Session, toSession } from "./session.ts"

/** Lists the sessions of the last 30 days, the newest first, at most 1000. */
export async function listSessions({ database, now }: Context<"database" | "now">): Promise<readonly Session[]> {
  return (await readSessions(database)).map((session) => toSession(session, now()))
}
