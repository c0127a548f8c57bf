import { CommandError } from "../core/errors.ts"
import type { Database, RunQuery } from "./_database.ts"
import { findProviderKey } from "./provider-keys.ts"

/** The provider key to which an API key is bound. */
export interface Binding {
  readonly provider: string
  readonly id: string
  readonly alias: string
  /** It was removed, so that requests to the provider are rejected. */
  readonly removed: boolean
}

/** The bindings of a row of api_keys, as JSON. NULL for a key that is bound to none. */
export const BINDINGS = `(SELECT json_agg(json_build_object('provider', p.provider, 'id', p.id, 'alias', p.alias,
    'removed', p.removed_at IS NOT NULL) ORDER BY p.provider)
  FROM jsonb_each_text(provider_keys) AS bound JOIN provider_api_keys p ON p.id = bound.value::uuid) AS bindings`

/** Ids of provider keys by the names of their providers. Null ends a binding. */
export type BindingChange = Readonly<Record<string, string | null>>

/**
 * Finds the provider keys that a person named: `PROVIDER:ALIAS` binds to one, and `PROVIDER:` ends the binding.
 *
 * @throws CommandError for a name of another form, NotFoundError if there is no such key
 */
export async function resolveBindings(query: RunQuery, names: readonly string[]): Promise<BindingChange> {
  const change: Record<string, string | null> = Object.create(null)
  for (const name of names) {
    const [, provider, alias] = /^([a-z0-9][a-z0-9_-]*):(.*)$/i.exec(name) ?? []
    if (provider === undefined) {
      throw new CommandError("expected the name of a provider key, such as openai:team-a (openai: ends the binding)", 2)
    }
    change[provider.toLowerCase()] = alias === "" ? null : (await findProviderKey(query, name)).id
  }
  return change
}

/** An API key that is bound to a provider key. */
export interface BoundKey {
  readonly id: string
  readonly name: string
  readonly providerKeyId: string
}

/** Returns the active API keys that are bound to a provider key, by name. */
export async function listBoundKeys({ query }: Pick<Database, "query">): Promise<readonly BoundKey[]> {
  const { rows } = await query<BoundKey>(`SELECT k.id, k.name, bound.value AS "providerKeyId"
    FROM api_keys k, jsonb_each_text(k.provider_keys) AS bound
    WHERE k.is_active AND k.revoked_at IS NULL ORDER BY k.name, k.id`)
  return rows
}
