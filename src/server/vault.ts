import type { Database } from "../database/_database.ts"
import type { GatewayIdentity } from "../database/gateways.ts"
import { createKeyCache, type KeyCache, type KeyCacheOptions } from "../database/key-cache.ts"
import { noteUse, readEncryptedKeys } from "../database/provider-keys.ts"
import type { Scope } from "../kit/scope.ts"
import { openKeyring } from "../vault/keyring.ts"
import { type CredentialStore, createCredentialStore } from "../vault/store.ts"
import type { ServerOptions } from "./options.ts"

type VaultOptions = Pick<ServerOptions, "settings" | "log">

interface OpenKeys {
  readonly keys: KeyCache
  readonly vault: CredentialStore
}

/** Opens the API keys and the provider keys of this process, which hears of all changes on one connection. */
export function openKeys(
  options: VaultOptions,
  database: Database,
  { identity, onLimits }: { readonly identity: GatewayIdentity } & Pick<KeyCacheOptions, "onLimits">,
  scope: Scope,
): OpenKeys {
  const keys = createKeyCache(database, { identity, onLimits, onProviderKeysChange: () => vault.invalidate() })
  scope.own(() => keys.close())
  const vault: CredentialStore = openVault(options, database, keys.isTrusted)
  scope.own(() => vault.close())
  return { keys, vault }
}

function openVault({ settings, log }: VaultOptions, database: Database, isTrusted: () => boolean): CredentialStore {
  return createCredentialStore({
    load: () => readEncryptedKeys(database),
    openKeyring: () => openKeyring(settings),
    isTrusted,
    // The next use is noted again.
    onUsed: (ids) => noteUse(database, ids).catch(() => {}),
    warn: (line) => log("warn", line),
    now: () => performance.now(),
  })
}
