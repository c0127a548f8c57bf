import { writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { CommandError } from "../../core/errors.ts"
import { makeDirectory } from "../../kit/make-directory.ts"
import { toKeyFile } from "../../vault/keyring.ts"
import { formatVaultKey, generateVaultKey, type VaultKey } from "../../vault/vault-key.ts"
import type { Context } from "../context.ts"

interface CreatedVaultKey {
  readonly vault_key_id: string
  readonly file: string
}

/**
 * Makes a vault key, and writes it into the file of the settings, which only its owner can read. It never overwrites a file.
 *
 * @throws CommandError if there is a vault key already, or the file cannot be written
 */
export function initVault({ settings }: Context<"settings">): CreatedVaultKey {
  if (settings.vault.key !== undefined) {
    throw new CommandError(
      "vault.key is set, so that a file would not be used: to replace that key, see majordomo-gateway vault rotate --help",
    )
  }
  const file = toKeyFile(settings)
  const key = generateVaultKey()
  try {
    makeDirectory(dirname(file))
  } catch (error) {
    throw new CommandError(`the directory of the vault key cannot be created: ${(error as Error).message}`)
  }
  writeKeyFile(file, [key], "wx")
  return { vault_key_id: key.id, file }
}

/** Returns the text of a new vault key, which is stored nowhere. */
export function makeVaultKey(): { readonly vault_key_id: string; readonly key: string } {
  const key = generateVaultKey()
  return { vault_key_id: key.id, key: formatVaultKey(key) }
}

/** Writes a file of vault keys, the current one first. */
export function writeKeyFile(file: string, keys: readonly VaultKey[], flag: "w" | "wx"): void {
  const lines = keys.flatMap((key) => [`# vault key ${key.id}`, formatVaultKey(key)])
  const head =
    "# These keys decrypt the provider keys of majordomo-gateway. Keep a copy in a safe place, apart from the database."
  try {
    writeFileSync(file, [head, ...lines, ""].join("\n"), { mode: 0o600, flag, flush: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") {
      throw new CommandError(
        `there is a vault key already, and it is not overwritten: ${file}. To replace it, run majordomo-gateway vault rotate`,
      )
    }
    throw error
  }
}
