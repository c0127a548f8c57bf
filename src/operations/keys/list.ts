import { listKeys as readKeys } from "../../database/keys.ts"
import type { Context } from "../context.ts"
import { type Key, toKey } from "./key.ts"

/** Lists all API keys, the oldest first, revoked ones included. */
export async function listKeys({ database }: Context<"database">): Promise<readonly Key[]> {
  return (await readKeys(database)).map(toKey)
}
