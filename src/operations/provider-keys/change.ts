import { CommandError } from "../../core/errors.ts"
import type { RunQuery } from "../../database/_database.ts"
import { recordChange } from "../../database/access/audit.ts"
import { askGateways } from "../../database/gateways.ts"
import { listBoundKeys } from "../../database/key-bindings.ts"
import {
  findProviderKey,
  listProviderKeys,
  lockProviderKeys,
  makeDefault,
  markRemoved,
  type ProviderKeyRow,
  replaceSecret,
} from "../../database/provider-keys.ts"
import { isUuid } from "../../kit/uuid.ts"
import type { Kind } from "../../vault/secret.ts"
import type { Context } from "../context.ts"
import { type RevokedKey, toGateways } from "../keys/revoke.ts"
import { requireNamed } from "../named.ts"
import { type ListedProviderKey, type ProviderKey, toProviderKey, withBoundKeys } from "./provider-key.ts"
import { sealSecret } from "./seal.ts"

/** A provider key is named by its id, by the beginning of its id (four characters or more), or as `PROVIDER:ALIAS`. */
interface Reference {
  readonly id: string
}

/**
 * Replaces the secret of a provider key. Its name, its bindings and its uses stay. Running requests keep the old secret, and
 * every gateway uses the new one for the next.
 *
 * @throws CommandError if there is no such key, the secret is not valid, or there is no vault key
 */
export function rotateProviderKey(
  context: Context<"database" | "settings" | "actor">,
  { id, secret, kind: given }: Reference & { readonly secret: string; readonly kind?: Kind | undefined },
): Promise<ProviderKey> {
  return change(context, id, "provider-keys.rotate", (query, row) => {
    const kind = given ?? row.kind
    const { encrypted, lastFour } = sealSecret(context, row, { kind, secret })
    return replaceSecret(query, row.id, encrypted, { kind, lastFour })
  })
}

/**
 * Makes a provider key the default of its provider.
 *
 * @throws CommandError if there is no such key
 */
export function makeProviderKeyDefault(
  context: Context<"database" | "actor">,
  { id }: Reference,
): Promise<ProviderKey> {
  return change(context, id, "provider-keys.update", makeDefault)
}

export interface RemovedProviderKey extends ListedProviderKey {
  /** The number of keys of the provider that are left, none of which is the default; 0 if one is, or none is left. */
  readonly left_without_default: number
  /** The gateways that no longer use the key, and those that did not answer. */
  readonly gateways: RevokedKey["gateways"]
}

/**
 * Deletes the secret of a provider key. When the promise resolves, no gateway uses it any more, except those that are
 * `silent`. API keys that are bound to it stay bound, so that their requests are rejected and not sent with another key.
 *
 * @throws CommandError if there is no such key
 */
export async function removeProviderKey(
  context: Context<"database" | "actor">,
  { id }: Reference,
): Promise<RemovedProviderKey> {
  const { database } = context
  const removed = await change(context, id, "provider-keys.remove", (query, row) => markRemoved(query, row.id))
  const gateways = toGateways(await askGateways(database))
  const left = (await listProviderKeys(database.query)).filter(
    ({ provider, removed_at }) => provider === removed.provider && removed_at === null,
  )
  const leftWithoutDefault = left.some((key) => key.is_default) ? 0 : left.length
  return {
    ...withBoundKeys(removed, await listBoundKeys(database)),
    left_without_default: leftWithoutDefault,
    gateways,
  }
}

/** Changes one key, and writes the change into the audit log. */
async function change(
  { database, actor }: Context<"database" | "actor">,
  reference: string,
  action: string,
  apply: (query: RunQuery, row: ProviderKeyRow) => Promise<ProviderKeyRow>,
): Promise<ProviderKey> {
  return database.transaction(async (query) => {
    await lockProviderKeys(query)
    const row = await findMeant(query, reference)
    if (row.removed_at !== null) {
      throw new CommandError(`the provider key ${row.provider}:${row.alias} was removed: see provider-keys list`)
    }
    const after = toProviderKey(await apply(query, row))
    await recordChange(query, actor, { action, target: row.id, before: toProviderKey(row), after })
    return after
  })
}

/** @throws NotFoundError if there is no such key, and CommandError if there are several */
async function findMeant(query: RunQuery, reference: string): Promise<ProviderKeyRow> {
  if (isUuid(reference)) return findProviderKey(query, reference)
  const all = (await listProviderKeys(query)).map((row) => {
    return { id: row.id, name: `${row.provider}:${row.alias}`, isActive: row.removed_at === null, row }
  })
  // The names of providers are in lower case.
  const text = reference.replace(/^[^:]+(?=:)/, (provider) => provider.toLowerCase())
  return requireNamed(text, all, { one: "provider key", several: "provider keys", list: "provider-keys list" }).row
}
