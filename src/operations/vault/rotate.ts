import { renameSync } from "node:fs"
import { CommandError } from "../../core/errors.ts"
import type { RunQuery } from "../../database/_database.ts"
import { recordChange } from "../../database/access/audit.ts"
import { lockProviderKeys, readEncryptedKeys, replaceSecret } from "../../database/provider-keys.ts"
import { decrypt, encrypt } from "../../vault/cipher.ts"
import { type Keyring, openKeyring } from "../../vault/keyring.ts"
import { generateVaultKey, type VaultKey } from "../../vault/vault-key.ts"
import type { Context } from "../context.ts"
import { writeKeyFile } from "./init.ts"

interface RotatedVault {
  readonly vault_key_id: string
  /** The number of provider keys that were encrypted again. */
  readonly encrypted: number
  /** The file with the new key; null if the key is in the settings. */
  readonly file: string | null
}

/**
 * Encrypts all provider keys with another vault key, in one transaction. If the key is in a file, it makes a new one there,
 * which the gateways of this machine read by themselves. If the key is in the settings, it encrypts with `vault.key` what was
 * encrypted with one of `vault.previous_keys`.
 *
 * @throws CommandError if there is no vault key, a provider key cannot be decrypted, or nothing is to be done
 */
export async function rotateVault(context: Context<"database" | "settings" | "actor">): Promise<RotatedVault> {
  const keyring = openKeyring(context.settings)
  const { current, file } = keyring
  if (current === undefined) throw new CommandError("there is no vault key: run majordomo-gateway vault init")
  if (file === undefined) return rotateSettings(context, current, keyring)
  const next = generateVaultKey()
  const older = [...keyring.keys.values()]
  // While the rows change, the file has both keys. A crash at any point leaves a file that can decrypt everything.
  replaceKeyFile(file, [...older, next])
  const encrypted = await encryptAll(context, next, keyring)
  replaceKeyFile(file, [next, ...older])
  return { vault_key_id: next.id, encrypted, file }
}

async function rotateSettings(
  context: Context<"database" | "settings" | "actor">,
  current: VaultKey,
  keyring: Keyring,
): Promise<RotatedVault> {
  const encrypted = await encryptAll(context, current, keyring)
  if (encrypted > 0) return { vault_key_id: current.id, encrypted, file: null }
  throw new CommandError(
    `all provider keys are encrypted with vault.key (${current.id}) already. To replace it: make a key with majordomo-gateway vault init --print, set vault.key to it and vault.previous_keys to the old one on every gateway, restart them, and run this again`,
  )
}

function replaceKeyFile(file: string, keys: readonly VaultKey[]): void {
  writeKeyFile(`${file}.new`, keys, "w")
  renameSync(`${file}.new`, file)
}

/** Encrypts with `key` whatever is encrypted with another one. Returns the number of provider keys that changed. */
async function encryptAll(
  { database, actor }: Context<"database" | "actor">,
  key: VaultKey,
  keyring: Keyring,
): Promise<number> {
  return database.transaction(async (query) => {
    await lockProviderKeys(query)
    const others = (await readEncryptedKeys({ query })).filter(({ keyId }) => keyId !== key.id)
    for (const row of others) await encryptAgain(query, key, keyring, row)
    if (others.length > 0) {
      const from = [...new Set(others.map(({ keyId }) => keyId))]
      await recordChange(query, actor, {
        action: "vault.rotate",
        target: null,
        before: { vault_key_ids: from },
        after: { vault_key_id: key.id, provider_keys: others.length },
      })
    }
    return others.length
  })
}

type EncryptedRow = Awaited<ReturnType<typeof readEncryptedKeys>>[number]

async function encryptAgain(query: RunQuery, key: VaultKey, { keys }: Keyring, row: EncryptedRow): Promise<void> {
  const old = keys.get(row.keyId)
  const text = old && decrypt(old, row, row)
  if (text === undefined) {
    throw new CommandError(
      `${row.provider}:${row.alias} cannot be decrypted, so that nothing was changed: it needs the vault key ${row.keyId}. Add that key to vault.previous_keys, or remove the provider key`,
    )
  }
  await replaceSecret(query, row.id, encrypt(key, text, row))
}
