import { CommandError } from "../../core/errors.ts"
import { readEncryptedKeys } from "../../database/provider-keys.ts"
import { decrypt } from "../../vault/cipher.ts"
import { type Keyring, openKeyring } from "../../vault/keyring.ts"
import type { Context } from "../context.ts"

export interface VaultStatus {
  /** The id of the key that encrypts; null if there is none. */
  readonly vault_key_id: string | null
  /** Where it is from: `vault.key`, or the path of a file. */
  readonly source: string | null
  /** The providers of the settings, which can have keys. */
  readonly providers: readonly string[]
  /** Why the vault keys cannot be read; null if they can. */
  readonly problem: string | null
  /** The provider keys, by the vault key that encrypted them. */
  readonly encrypted: readonly {
    readonly vault_key_id: string
    readonly provider_keys: number
    /** Those among them that can be decrypted on this machine. */
    readonly readable: number
  }[]
}

/** Returns which vault keys this machine has, and which provider keys it can decrypt with them. */
export async function readVaultStatus({ database, settings }: Context<"database" | "settings">): Promise<VaultStatus> {
  const { keyring, problem } = tryKeyring(settings)
  const counts = new Map<string, { provider_keys: number; readable: number }>()
  for (const row of await readEncryptedKeys(database)) {
    const count = counts.get(row.keyId) ?? { provider_keys: 0, readable: 0 }
    const key = keyring?.keys.get(row.keyId)
    count.provider_keys++
    if (key !== undefined && decrypt(key, row, row) !== undefined) count.readable++
    counts.set(row.keyId, count)
  }
  return {
    vault_key_id: keyring?.current?.id ?? null,
    source: keyring?.current === undefined ? null : keyring.source,
    providers: Object.keys(settings.providers),
    problem,
    encrypted: [...counts].map(([id, count]) => ({ vault_key_id: id, ...count })),
  }
}

function tryKeyring(settings: Context<"settings">["settings"]): {
  readonly keyring: Keyring | undefined
  readonly problem: string | null
} {
  try {
    return { keyring: openKeyring(settings), problem: null }
  } catch (error) {
    if (error instanceof CommandError) return { keyring: undefined, problem: error.message }
    throw error
  }
}
