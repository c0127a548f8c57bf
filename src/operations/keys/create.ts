import { CommandError } from "../../core/errors.ts"
import { recordChange } from "../../database/access/audit.ts"
import { resolveBindings } from "../../database/key-bindings.ts"
import type { KeyMetadataInput } from "../../database/key-metadata.ts"
import { discardSecret } from "../../database/key-secrets.ts"
import { createKey as insertKey, type KeyPolicyChange, listKeys } from "../../database/keys.ts"
import { migrate } from "../../database/schema.ts"
import { readSchemaState } from "../../database/schema-state.ts"
import type { Context } from "../context.ts"
import { type Key, readKeyView } from "./key.ts"
import { applyKeyLimits, type KeyLimitChange } from "./limits.ts"

interface NewKeyInput extends KeyMetadataInput {
  readonly name: string
  readonly description?: string | undefined
  /** In percent, such as `12.5`. */
  readonly discount?: string | undefined
  /** The provider keys to bind it to: `openai:team-a`. */
  readonly provider_keys?: readonly string[] | undefined
  readonly policy?: KeyPolicyChange | undefined
  readonly limits?: readonly KeyLimitChange[] | undefined
}

/** A new key with its secret, which is stored nowhere and cannot be read again. */
export interface CreatedKey extends Key {
  readonly key: string
}

/** A new key, and how many other active keys have its name. Reports show such keys with the beginnings of their ids. */
interface NewKey extends CreatedKey {
  readonly namesakes: number
}

/**
 * Creates an API key. In a database without tables it creates the schema first if `storage.auto_migrate` allows it, so
 * that the first key can exist before the first start of the gateway.
 *
 * @throws CommandError if a value is not valid
 */
export async function createKey(
  { database, settings, actor, now, log }: Context<"database" | "settings" | "actor" | "now" | "log">,
  { provider_keys: names = [], limits = [], ...input }: NewKeyInput,
): Promise<NewKey> {
  const { autoMigrate } = settings.storage
  if (autoMigrate && (await readSchemaState(database.query)).kind === "none") await migrate(database, log)
  const bindings = await resolveBindings(database.query, names)
  let after: Key | undefined
  const { secret } = await insertKey(database, { ...input, bindings }, async (query, created) => {
    await applyKeyLimits(query, created, limits)
    after = (await readKeyView(query, now()))(created)
    await recordChange(query, actor, { action: "keys.create", target: created.id, after })
  })
  const others = (await listKeys(database)).filter(({ id, isActive }) => isActive && id !== after!.id)
  return { ...after!, key: secret, namesakes: others.filter(({ name }) => name === after!.name).length }
}

/**
 * Takes back a secret that could not be shown to anybody: deletes a new key, and undoes a rotation.
 *
 * @throws CommandError if that fails
 */
export async function discardKey(
  { database, actor }: Context<"database" | "actor">,
  { id, key }: Pick<CreatedKey, "id" | "key">,
): Promise<void> {
  const discard = database.transaction(async (query) => {
    if (await discardSecret({ query }, key)) await recordChange(query, actor, { action: "keys.discard", target: id })
  })
  await discard.catch((error: Error) => {
    throw new CommandError(
      `the new secret of the key ${id} could not be shown, and not be taken back (${error.message}): revoke the key with keys revoke ${id}`,
    )
  })
}
