import { readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { CommandError } from "../core/errors.ts"
import { parseVaultKey, type VaultKey } from "./vault-key.ts"

/** The settings of the vault, and the directory of its default file. */
interface VaultSettings {
  readonly vault: {
    readonly key: string | undefined
    readonly keyFile: string | undefined
    readonly previousKeys: readonly string[]
  }
  readonly storage: { readonly dataDir: string }
}

/** The vault keys that this machine has. */
export interface Keyring {
  /** The key that encrypts; undefined: there is none. */
  readonly current: VaultKey | undefined
  /** All keys that can decrypt, by their ids. */
  readonly keys: ReadonlyMap<string, VaultKey>
  /** Where the current key is from, for people: `vault.key`, or the path of a file. */
  readonly source: string
  /** The file with the keys; undefined: the key is in the settings. */
  readonly file: string | undefined
}

/** Returns the file in which `vault init` stores a key. */
export function toKeyFile({ vault, storage }: VaultSettings): string {
  return vault.keyFile ?? join(storage.dataDir, "vault.key")
}

/**
 * Reads the vault keys: `vault.key`, or else those in `vault.key_file`, one in each line, of which the first encrypts. All of
 * them, and `vault.previous_keys`, decrypt.
 *
 * @throws CommandError if the file cannot be read, is open to other users, or contains no key
 */
export function openKeyring(settings: VaultSettings): Keyring {
  const { vault } = settings
  const previous = vault.previousKeys.map((text) => toKey(text, "vault.previous_keys"))
  if (vault.key !== undefined) {
    const current = toKey(vault.key, "vault.key")
    return { current, keys: byId([current, ...previous]), source: "vault.key", file: undefined }
  }
  const file = toKeyFile(settings)
  const own = readKeyFile(file, vault.keyFile !== undefined)
  return { current: own[0], keys: byId([...own, ...previous]), source: file, file }
}

/** Returns the keys of a file, the current one first; none if the file does not exist and need not. */
function readKeyFile(file: string, isRequired: boolean): readonly VaultKey[] {
  let text: string
  try {
    text = readFileSync(file, "utf8")
    checkMode(file)
  } catch (error) {
    if (error instanceof CommandError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === "ENOENT" && !isRequired) return []
    const todo = code === "ENOENT" ? "run majordomo-gateway vault init, or correct vault.key_file" : "correct its mode"
    throw new CommandError(`the file of the vault key cannot be read (${code}): ${file}: ${todo}`)
  }
  const lines = text.split("\n").map((line) => line.trim())
  const keys = lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => toKey(line, file))
  if (keys.length > 0) return keys
  throw new CommandError(
    `the file of the vault key contains no key: ${file}: restore it, or delete it and run vault init`,
  )
}

/** As PostgreSQL checks its own key: a group may read a file of root, because containers mount their secrets so. */
function checkMode(file: string): void {
  if (process.platform === "win32") return
  const { mode, uid } = statSync(file)
  const forbidden = uid === 0 ? 0o037 : 0o077
  if ((mode & forbidden) === 0) return
  throw new CommandError(`other users of this machine can read the vault key: run chmod 600 ${file}`)
}

function toKey(text: string, where: string): VaultKey {
  const key = parseVaultKey(text)
  if (key !== undefined) return key
  throw new CommandError(`${where}: expected 32 bytes in base64, as majordomo-gateway vault init makes them`)
}

function byId(keys: readonly VaultKey[]): ReadonlyMap<string, VaultKey> {
  return new Map(keys.map((key) => [key.id, key]))
}
