import type { Caller } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import type { Database } from "./_database.ts"
import { isUnavailable } from "./failures.ts"
import { type GatewayIdentity, LIMITS, LIMITS_RETURN, PROVIDER_KEYS } from "./gateways.ts"
import { createKeyLookups, findCaller } from "./key-lookups.ts"
import { createKeyTrust } from "./key-trust.ts"
import { createLruMap } from "./lru-map.ts"

export interface KeyCacheOptions {
  /** How the gateway's row in majordomo_gateways describes it. Its `offlineMs` limits the age of remembered keys. */
  readonly identity?: GatewayIdentity
  /** Called when provider keys may have changed. */
  readonly onProviderKeysChange?: () => void
  /** Called when limits may have changed, or their idle amounts are needed, because there is one connection for all. */
  readonly onLimits?: (payload: typeof LIMITS | typeof LIMITS_RETURN) => void
  /** Milliseconds that only increase. Default: `performance.now`. */
  readonly now?: () => number
  readonly ttlMs?: number
  readonly maxKnown?: number
  readonly maxUnknown?: number
}

export interface KeyCache {
  /**
   * Returns the caller of a key's hash, at once if the key is cached; `undefined` for an unknown or revoked key.
   * Rejects, or throws, `GatewayError("keys_unavailable")` when the key is not cached and the database cannot be
   * reached.
   */
  find(hash: string): Caller | undefined | Promise<Caller | undefined>
  /** Whether cached keys are accepted without a look-up, which they are while notifications are known to arrive. */
  isTrusted(): boolean
  /** Resolves after the first attempt to listen. Callers need not wait for it: until then every key is looked up. */
  readonly ready: Promise<void>
  close(): Promise<void>
}

/** `caller` is undefined for a key that is unknown or revoked. */
interface Entry {
  readonly caller: Caller | undefined
  readonly epoch: number
  /** When the database was asked. */
  readonly confirmedAt: number
}

const TTL_MS = 5 * 60_000
const MAX_LOOKUPS = 1_000
const UNNAMED: GatewayIdentity = { name: "unnamed", slot: "", offlineMs: 12 * 3_600_000 }
/** The time between two attempts to reach a database that was unavailable. */
const PROBE_INTERVAL_MS = 250

/** Caches which keys are accepted, and drops a key as soon as the database notifies it of a change. */
export function createKeyCache(db: Database, options: KeyCacheOptions = {}): KeyCache {
  const now = options.now ?? (() => performance.now())
  const ttlMs = options.ttlMs ?? TTL_MS
  const known = createLruMap<Entry>(options.maxKnown ?? 10_000)
  const unknown = createLruMap<Entry>(options.maxUnknown ?? 10_000)
  const { identity = UNNAMED, onProviderKeysChange = () => {}, onLimits = () => {} } = options

  const onChange = (hash: string | undefined) => {
    if (hash === LIMITS || hash === LIMITS_RETURN) return onLimits(hash)
    if (hash === undefined) onLimits(LIMITS)
    if (hash === undefined || hash === PROVIDER_KEYS) onProviderKeysChange()
    for (const each of [known, unknown, lookups]) {
      if (hash === undefined) each.clear()
      else each.delete(hash)
    }
  }
  const trust = createKeyTrust(db, { identity, now, onChange, onRenewed: () => lookups.recover() })
  const isFresh = (entry: Entry) => entry.epoch === trust.epoch() && now() < entry.confirmedAt + ttlMs
  /** Finds a key that was valid when the gateway last heard of all revocations, unless that was too long ago. */
  const findRemembered = (hash: string): Entry | undefined => {
    const entry = known.get(hash)
    if (entry === undefined) return undefined
    const heardAt = entry.epoch === trust.epoch() ? trust.contactAt() : Number.NEGATIVE_INFINITY
    return now() < Math.max(entry.confirmedAt, heardAt) + identity.offlineMs ? entry : undefined
  }
  const lookups = createLookups({ db, findRemembered, now })

  const lookUp = (hash: string): Promise<Caller | undefined> => {
    const epoch = trust.epoch()
    const confirmedAt = now()
    return lookups.run(hash, (caller) => {
      const entry = { caller, epoch, confirmedAt }
      if (caller) {
        known.set(hash, entry)
        unknown.delete(hash)
      } else {
        unknown.set(hash, entry)
        known.delete(hash)
      }
    })
  }

  return {
    find: (hash) => {
      if (trust.isTrusted()) {
        const entry = known.get(hash)
        if (entry && isFresh(entry)) return entry.caller
        const miss = entry ? undefined : unknown.get(hash)
        if (miss && isFresh(miss)) return undefined
      }
      if (!lookups.isOutage()) return lookUp(hash)
      const remembered = findRemembered(hash)
      if (lookups.mustWait()) {
        if (remembered) return remembered.caller
        throw toUnavailable()
      }
      // While the database is unavailable, a known key does not wait for it: the look-up counts for the next request.
      const caller = lookUp(hash)
      return remembered ? remembered.caller : caller
    },
    isTrusted: trust.isTrusted,
    ready: trust.ready,
    close: trust.close,
  }
}

interface LookupOptions {
  readonly db: Database
  /** Finds a key that was valid when the database was last reached, and that is accepted while it is unavailable. */
  findRemembered(hash: string): Entry | undefined
  readonly now: () => number
}

/**
 * Look-ups that are running, one for each key, and whether the last one failed because the database was unavailable.
 */
function createLookups({ db, findRemembered, now }: LookupOptions) {
  const findWithOthers = createKeyLookups(db)
  const running = new Map<string, Promise<Caller | undefined>>()
  let isOutage = false
  let nextProbeAt = 0

  async function lookUp(hash: string, onResult: (caller: Caller | undefined) => void): Promise<Caller | undefined> {
    try {
      // A key that was valid is not a guess, so it does not have to wait for other look-ups.
      const caller = await (findRemembered(hash) ? findCaller(db, hash) : findWithOthers(hash))
      isOutage = false
      onResult(caller)
      return caller
    } catch (error) {
      if (!isUnavailable(error)) throw error
      isOutage = true
      nextProbeAt = now() + PROBE_INTERVAL_MS
      const entry = findRemembered(hash)
      if (entry) return entry.caller
      throw toUnavailable()
    }
  }

  return {
    /** Looks a key up, or joins the look-up that runs. `onResult` is not called if the key changes in the meantime. */
    run(hash: string, onResult: (caller: Caller | undefined) => void): Promise<Caller | undefined> {
      if (isOutage) nextProbeAt = now() + PROBE_INTERVAL_MS
      const joined = running.get(hash)
      if (joined) return joined
      if (running.size >= MAX_LOOKUPS) return Promise.reject(toUnavailable())
      const lookup = lookUp(hash, (caller) => {
        if (running.get(hash) === lookup) onResult(caller)
      }).finally(() => {
        if (running.get(hash) === lookup) running.delete(hash)
      })
      lookup.catch(() => {}) // a caller with a cached key does not wait for the look-up
      running.set(hash, lookup)
      return lookup
    },
    isOutage: () => isOutage,
    /** Whether the database was unavailable and the time to try it again has not come. */
    mustWait: () => isOutage && now() < nextProbeAt,
    recover: () => {
      isOutage = false
    },
    delete: (hash: string) => void running.delete(hash),
    clear: () => running.clear(),
  }
}

function toUnavailable(): GatewayError {
  return new GatewayError("keys_unavailable", "the gateway cannot check API keys at the moment, try again shortly")
}
