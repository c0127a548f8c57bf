import { listBoundKeys } from "../../database/key-bindings.ts"
import { listProviderKeys as readProviderKeys } from "../../database/provider-keys.ts"
import type { Context } from "../context.ts"
import { type ListedProviderKey, toProviderKey, withBoundKeys } from "./provider-key.ts"

/** Lists the provider keys by provider, the removed ones included, with the API keys that are bound to each. */
export async function listProviderKeys({ database }: Context<"database">): Promise<readonly ListedProviderKey[]> {
  const bound = await listBoundKeys(database)
  return (await readProviderKeys(database.query)).map((row) => withBoundKeys(toProviderKey(row), bound))
}
