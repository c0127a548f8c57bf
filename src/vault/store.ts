import type { Caller } from "../core/call.ts"
import { CommandError } from "../core/errors.ts"
import type { ProviderCredential, Secret } from "../core/provider-credential.ts"
import { decrypt, type EncryptedSecret } from "./cipher.ts"
import type { Keyring } from "./keyring.ts"
import { throwUnavailable, toLocked, toNoDefault, toRemoved } from "./store-errors.ts"

/** A provider key as it is stored. */
interface StoredKey extends EncryptedSecret {
  readonly id: string
  readonly provider: string
  readonly alias: string
  readonly isDefault: boolean
  /** Which secret it is: the time of its rotation, as text. Another vault key encrypts the same secret. */
  readonly rotation: string
}

interface StoreOptions {
  /** Reads all provider keys that are not removed. */
  load(): Promise<readonly StoredKey[]>
  /** Reads the vault keys again: `vault init` and `vault rotate` change their file. @throws CommandError */
  openKeyring(): Keyring
  /** Whether `invalidate` is known to be called as soon as something changes. */
  isTrusted(): boolean
  /** Takes the ids of the provider keys that were used since the last call. Never rejects. */
  onUsed(ids: readonly string[]): Promise<void>
  /** Takes a warning for the operator. */
  warn(line: string): void
  /** Milliseconds that only increase. */
  now(): number
}

/** The provider keys of a running gateway, decrypted and in memory. */
export interface CredentialStore {
  /**
   * Returns the credential for a provider and a client: the one to which the client's key is bound, or else the default.
   * undefined: there is none for the provider. Returns a promise only when the keys have to be read first.
   *
   * @throws GatewayError `no_provider_credential`, `provider_key_removed`, `vault_unavailable`
   */
  find(provider: string, caller: Caller): ProviderCredential | undefined | Promise<ProviderCredential | undefined>
  /**
   * Returns whether there is a credential for a provider and a client, as far as is known. It is true for each provider
   * while the gateway holds no credential at all.
   */
  canSupply(provider: string, caller: Caller): boolean
  /** Reads the keys again, because they may have changed. A request that needs one waits for that. */
  invalidate(): void
  close(): Promise<void>
}

/** Without notifications, the keys are read this often. */
const UNTRUSTED_MS = 1_000
/** The time between two attempts to read them from a database that does not answer. */
const RETRY_MS = 250
const USED_INTERVAL_MS = 30_000

interface Entry {
  key: StoredKey
  /** undefined: it could not be decrypted. */
  readonly credential: ProviderCredential | undefined
  isUsed: boolean
}

interface Loaded {
  readonly byId: ReadonlyMap<string, Entry>
  /** By provider; undefined for one that has keys, and no default. */
  readonly defaults: ReadonlyMap<string, Entry | undefined>
  readonly version: number
  readonly at: number
}

/** Creates the store, and starts to read the keys. While the database does not answer, the known ones are used. */
export function createCredentialStore(options: StoreOptions): CredentialStore {
  const { isTrusted, now, onUsed, warn } = options
  let version = 0
  let loaded: Loaded | undefined
  let loading: Promise<Loaded> | undefined
  let failedAt: number | undefined
  let warned = ""
  let isClosed = false

  async function load(): Promise<Loaded> {
    const [startedAt, startedOn] = [now(), version]
    try {
      const keys = await options.load()
      const { entries, problem } = decryptAll(keys, loaded?.byId, options.openKeyring)
      if (problem !== warned && problem !== "") warn(problem)
      warned = problem
      loaded = { ...index(entries), version: startedOn, at: startedAt }
      failedAt = undefined
      return loaded
    } catch (error) {
      failedAt = now()
      if (loaded !== undefined) return loaded
      throw error
    } finally {
      loading = undefined
    }
  }

  /** Reads the keys again. A change that is noted while they are read is seen by the next read. */
  const reload = async (): Promise<Loaded> => {
    const wanted = version
    loading ??= load()
    const found = await loading
    return found.version < wanted && failedAt === undefined ? reload() : found
  }

  const isFresh = ({ version: known, at }: Loaded) => known === version && (isTrusted() || now() < at + UNTRUSTED_MS)
  /** While the database does not answer, no request waits for it. */
  const useWhileDown = () => {
    if (failedAt !== undefined && now() >= failedAt + RETRY_MS) void reload().catch(() => {})
    return failedAt !== undefined
  }

  const timer = setInterval(() => void reportUsed(loaded, onUsed), USED_INTERVAL_MS).unref()
  void reload().catch(() => {}) // the first request that needs a key tries again
  return {
    find(provider, caller) {
      if (loaded === undefined || !(isFresh(loaded) || useWhileDown())) {
        return reload().then((known) => choose(known, provider, caller), throwUnavailable)
      }
      return choose(loaded, provider, caller)
    },
    canSupply(provider, caller) {
      if (loaded === undefined || loaded.byId.size === 0) return true
      if (!isFresh(loaded)) void reload().catch(() => {}) // the next list has what changed
      return pick(loaded, provider, caller)?.credential !== undefined
    },
    invalidate() {
      version++
      if (!isClosed) void reload().catch(() => {})
    },
    async close() {
      isClosed = true
      clearInterval(timer)
      await loading?.catch(() => {})
      await reportUsed(loaded, onUsed)
    },
  }
}

async function reportUsed(loaded: Loaded | undefined, onUsed: StoreOptions["onUsed"]): Promise<void> {
  const used = [...(loaded?.byId.values() ?? [])].filter(({ isUsed }) => isUsed)
  for (const entry of used) entry.isUsed = false
  if (used.length > 0) await onUsed(used.map(({ key }) => key.id))
}

/** Returns the key to which a client is bound, or else the default. */
function pick({ byId, defaults }: Loaded, provider: string, caller: Caller): Entry | undefined {
  const bound = caller.providerKeys?.[provider]
  return bound === undefined ? defaults.get(provider) : byId.get(bound)
}

function choose(loaded: Loaded, provider: string, caller: Caller): ProviderCredential | undefined {
  const entry = pick(loaded, provider, caller)
  if (entry === undefined) {
    if (caller.providerKeys?.[provider] !== undefined) throw toRemoved(provider, caller)
    if (loaded.defaults.has(provider)) throw toNoDefault(provider)
    return undefined
  }
  if (entry.credential === undefined) throw toLocked(entry.key)
  entry.isUsed = true
  return entry.credential
}

function index(entries: readonly Entry[]): Pick<Loaded, "byId" | "defaults"> {
  const defaults = new Map<string, Entry | undefined>(entries.map(({ key }) => [key.provider, undefined]))
  for (const entry of entries) if (entry.key.isDefault) defaults.set(entry.key.provider, entry)
  return { byId: new Map(entries.map((entry) => [entry.key.id, entry])), defaults }
}

/**
 * Decrypts the keys. One whose secret has not changed keeps its credential, also if another vault key encrypts it now which
 * this gateway does not have.
 */
function decryptAll(
  keys: readonly StoredKey[],
  known: ReadonlyMap<string, Entry> | undefined,
  openKeyring: () => Keyring,
): { readonly entries: readonly Entry[]; readonly problem: string } {
  const isSame = (key: StoredKey) => {
    const before = known?.get(key.id)?.key
    return before !== undefined && hasSameOwner(before, key) && before.nonce.equals(key.nonce)
  }
  if (keys.every((key) => isSame(key) && known!.get(key.id)!.credential !== undefined)) {
    return { entries: keys.map((key) => Object.assign(known!.get(key.id)!, { key })), problem: "" }
  }
  const keyring = tryKeyring(openKeyring)
  const unreadable: StoredKey[] = []
  const entries = keys.map((key): Entry => {
    const vaultKey = keyring.keys.get(key.keyId)
    const text = vaultKey && decrypt(vaultKey, key, key)
    if (text === undefined) unreadable.push(key)
    const before = known?.get(key.id)
    const isUnchanged = before !== undefined && hasSameOwner(before.key, key) && before.key.rotation === key.rotation
    const kept = isUnchanged ? before.credential : undefined
    const credential = text === undefined ? kept : toCredential(key, text)
    return { key, credential, isUsed: before?.isUsed ?? false }
  })
  return { entries, problem: unreadable.length === 0 ? "" : describeUnreadable(unreadable, keyring.problem) }
}

/** Returns false if a row of the database was given to another provider, which must not get the secret. */
function hasSameOwner(before: StoredKey, { provider, alias }: StoredKey): boolean {
  return before.provider === provider && before.alias === alias
}

function tryKeyring(openKeyring: () => Keyring): Pick<Keyring, "keys"> & { readonly problem?: string } {
  try {
    return openKeyring()
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    return { keys: new Map(), problem: error.message }
  }
}

function toCredential({ id, alias }: StoredKey, text: string): ProviderCredential {
  return { ...(JSON.parse(text) as Secret), id, alias }
}

function describeUnreadable(keys: readonly StoredKey[], problem: string | undefined): string {
  const names = keys.map(({ provider, alias }) => `${provider}:${alias}`).join(", ")
  const ids = [...new Set(keys.map(({ keyId }) => keyId))].join(", ")
  const why = problem ?? `they need the vault key ${ids}, and this gateway does not have it, or they were changed`
  return `provider keys that cannot be decrypted: ${names}: ${why}. Those that are in memory are used until the gateway stops; see majordomo-gateway vault status`
}
