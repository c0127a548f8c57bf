import { CommandError } from "../../core/errors.ts"
import { recordChange } from "../../database/access/audit.ts"
import { clearDefault, insertProviderKey, listProviderKeys, lockProviderKeys } from "../../database/provider-keys.ts"
import { migrate } from "../../database/schema.ts"
import { readSchemaState } from "../../database/schema-state.ts"
import { uuidV7 } from "../../kit/uuid.ts"
import type { Kind } from "../../vault/secret.ts"
import type { Context } from "../context.ts"
import { InputError } from "../input-error.ts"
import { type ProviderKey, toProviderKey } from "./provider-key.ts"
import { sealSecret } from "./seal.ts"

interface NewProviderKey {
  /** A provider of the settings. */
  readonly provider: string
  readonly alias: string
  readonly kind: Kind
  /** Whether it becomes the default. The first key of a provider always does. */
  readonly isDefault: boolean
  readonly secret: string
}

const ALIAS = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

/**
 * Stores a provider key, encrypted. In a database without tables it creates the schema first if `storage.auto_migrate`
 * allows it.
 *
 * @throws CommandError if the secret or the name is not valid, the name is taken, or there is no vault key
 */
export async function addProviderKey(
  context: Context<"database" | "settings" | "actor" | "now" | "log">,
  { provider: name, alias, kind, isDefault, secret }: NewProviderKey,
): Promise<ProviderKey> {
  const { database, settings, actor, now, log } = context
  const provider = name.toLowerCase()
  if (!ALIAS.test(alias)) {
    throw new InputError("alias", "expected a name of letters, digits, `.`, `_` and `-`, at most 63, such as team-a")
  }
  const id = uuidV7(now())
  const { encrypted, lastFour } = sealSecret(context, { id, provider, alias }, { kind, secret })
  if (settings.storage.autoMigrate && (await readSchemaState(database.query)).kind === "none") {
    await migrate(database, log)
  }
  return database.transaction(async (query) => {
    await lockProviderKeys(query)
    const others = (await listProviderKeys(query)).filter((key) => key.provider === provider && key.removed_at === null)
    if (others.some((other) => other.alias === alias)) {
      throw new CommandError(
        `${provider} already has a key named ${alias}: replace it with provider-keys rotate ${provider}:${alias}, or choose another --alias`,
      )
    }
    const becomesDefault = isDefault || others.length === 0
    if (becomesDefault) await clearDefault(query, provider)
    const row = { id, provider, alias, kind, lastFour, isDefault: becomesDefault, createdBy: actor.name }
    const added = toProviderKey(await insertProviderKey(query, { ...row, ...encrypted }))
    await recordChange(query, actor, { action: "provider-keys.add", target: id, after: added })
    return added
  })
}
