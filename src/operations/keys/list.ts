import { listKeys as readKeys } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import { type Key, readKeyView } from "./key.ts"

/** Lists all API keys, the oldest first, revoked ones included. */
export async function listKeys({ database, now }: Context<"database" | "now">): Promise<readonly Key[]> {
  const view = await readKeyView(database.query, now())
  return (await readKeys(database)).map(view)
}
