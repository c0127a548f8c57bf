import { CommandError } from "../../core/errors.ts"
import { recordChange } from "../../database/access/audit.ts"
import { resolveBindings } from "../../database/key-bindings.ts"
import type { KeyMetadataInput } from "../../database/key-metadata.ts"
import { deleteKey, createKey as insertKey } from "../../database/keys.ts"
import { migrate } from "../../database/schema.ts"
import { readSchemaState } from "../../database/schema-state.ts"
import type { Context } from "../context.ts"
import { type Key, toKey } from "./key.ts"

interface NewKeyInput extends KeyMetadataInput {
  readonly name: string
  readonly description?: string | undefined
  /** In percent, such as `12.5`. */
  readonly discount?: string | undefined
  /** The provider keys to bind it to: `openai:team-a`. */
  readonly provider_keys?: readonly string[] | undefined
}

/** A new key with its secret, which is stored nowhere and cannot be read again. */
export interface CreatedKey extends Key {
  readonly key: string
}

/**
 * Creates an API key. In a database without tables it creates the schema first if `storage.auto_migrate` allows it, so
 * that the first key can exist before the first start of the gateway.
 *
 * @throws CommandError if a value is not valid
 */
export async function createKey(
  { database, settings, actor, log }: Context<"database" | "settings" | "actor" | "log">,
  { provider_keys: names = [], ...input }: NewKeyInput,
): Promise<CreatedKey> {
  const { autoMigrate } = settings.storage
  if (autoMigrate && (await readSchemaState(database.query)).kind === "none") await migrate(database, log)
  const bindings = await resolveBindings(database.query, names)
  const { key, secret } = await insertKey(database, { ...input, bindings }, (query, created) =>
    recordChange(query, actor, { action: "keys.create", target: created.id, after: toKey(created) }),
  )
  return { ...toKey(key), key: secret }
}

/**
 * Deletes a new key that could not be shown to anybody.
 *
 * @throws CommandError if it still exists
 */
export async function discardKey(
  { database, actor }: Context<"database" | "actor">,
  { id, key }: Pick<CreatedKey, "id" | "key">,
): Promise<void> {
  const discard = database.transaction(async (query) => {
    if (await deleteKey({ query }, key)) await recordChange(query, actor, { action: "keys.discard", target: id })
  })
  await discard.catch((error: Error) => {
    throw new CommandError(
      `the new key ${id} could not be shown, and not be deleted (${error.message}): revoke it with keys revoke ${id}`,
    )
  })
}
