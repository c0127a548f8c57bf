import type { Database } from "../database/_database.ts"
import { noteUse, readEncryptedKeys } from "../database/provider-keys.ts"
import { openKeyring } from "../vault/keyring.ts"
import { type CredentialStore, createCredentialStore } from "../vault/store.ts"
import type { ServerOptions } from "./options.ts"

/** Opens the provider keys of this process. `isTrusted` says whether changes in the database are heard of. */
export function openVault(
  { settings, log }: Pick<ServerOptions, "settings" | "log">,
  { database, isTrusted }: { readonly database: Database; isTrusted(): boolean },
): CredentialStore {
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
