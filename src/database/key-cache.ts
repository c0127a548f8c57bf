import { randomUUID } from "node:crypto"
import type { Caller } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import type { Database } from "./_database.ts"
import { isUnavailable } from "./failures.ts"
import { type GatewayRow, KEY_CHANNEL, parseQuestion, removeGateway, renewGateway, TRUST_MS } from "./gateways.ts"
import { createKeyLookUps } from "./key-lookups.ts"
import { findCaller } from "./keys.ts"

export interface KeyCacheOptions {
  /** Milliseconds that only go forward. Default: `performance.now`. */
  readonly now?: () => number
  readonly ttlMs?: number
  readonly maxKnown?: number
  readonly maxUnknown?: number
}

export interface KeyCache {
  /**
   * The caller of a key's hash: at once for a remembered one, `undefined` for an unknown or revoked key. Rejects, or
   * throws, `GatewayError("keys_unavailable")` when the key is not remembered and the database cannot be asked.
   */
  find(hash: string): Caller | undefined | Promise<Caller | undefined>
  /** Whether remembered keys are trusted without asking, which is while notifications are known to arrive. */
  isTrusted(): boolean
  /** After the first attempt to listen. Nobody needs to wait for it: until then keys are looked up. */
  readonly ready: Promise<void>
  close(): Promise<void>
}

const TTL_MS = 5 * 60_000
const MAX_LOOKUPS = 1_000
/** While the database cannot be asked, it is asked this often whether it can. */
const PROBE_EVERY_MS = 250

/** Remembers which keys are accepted, and forgets one as soon as the database says that it changed. */
export function createKeyCache(db: Database, options: KeyCacheOptions = {}): KeyCache {
  const now = options.now ?? (() => performance.now())
  const ttlMs = options.ttlMs ?? TTL_MS
  const known = createMemory<Caller>(options.maxKnown ?? 10_000)
  const unknown = createMemory<undefined>(options.maxUnknown ?? 10_000)
  const findWithOthers = createKeyLookUps(db)
  const lookups = new Map<string, Promise<Caller | undefined>>()
  /** What was learnt in an earlier epoch is asked again: notifications may have been lost in between. */
  let epoch = 0
  let provenAt = Number.NEGATIVE_INFINITY
  let line = newLine(undefined)
  /** The last look-up failed for want of a database. */
  let isCutOff = false
  let nextProbeAt = 0

  const isTrusted = () => now() - provenAt < TRUST_MS
  const isFresh = (entry: Entry<unknown>) => entry.epoch === epoch && now() < entry.until

  const find = (hash: string): Caller | undefined | Promise<Caller | undefined> => {
    const entry = known.get(hash)
    if (isTrusted()) {
      if (entry && isFresh(entry)) return entry.value
      const miss = entry ? undefined : unknown.get(hash)
      if (miss && isFresh(miss)) return undefined
    }
    if (isCutOff && now() < nextProbeAt) {
      if (entry) return entry.value
      throw unavailable()
    }
    if (isCutOff) nextProbeAt = now() + PROBE_EVERY_MS
    const answer = lookUp(hash)
    // A key that was good when the database was last heard of does not wait for it: the answer counts for the next request.
    return isCutOff && entry ? entry.value : answer
  }

  const lookUp = (hash: string): Promise<Caller | undefined> => {
    const running = lookups.get(hash)
    if (running) return running
    if (lookups.size >= MAX_LOOKUPS) return Promise.reject(unavailable())
    const startedIn = epoch
    const lookup = ask(hash, (caller) => {
      if (lookups.get(hash) !== lookup) return // the key changed while we asked: the answer is old already
      const entry = { epoch: startedIn, until: now() + ttlMs }
      if (caller) known.set(hash, { ...entry, value: caller })
      else unknown.set(hash, { ...entry, value: undefined })
      if (caller) unknown.delete(hash)
      else known.delete(hash)
    }).finally(() => {
      if (lookups.get(hash) === lookup) lookups.delete(hash)
    })
    lookup.catch(() => {}) // who asked in passing does not wait for it
    lookups.set(hash, lookup)
    return lookup
  }

  const ask = async (hash: string, learn: (caller: Caller | undefined) => void): Promise<Caller | undefined> => {
    try {
      // What was a good key is no guess: it need not wait for others.
      const caller = await (known.get(hash) ? findCaller(db, hash) : findWithOthers(hash))
      isCutOff = false
      learn(caller)
      return caller
    } catch (error) {
      if (!isUnavailable(error)) throw error
      isCutOff = true
      nextProbeAt = now() + PROBE_EVERY_MS
      const entry = known.get(hash)
      if (entry) return entry.value
      throw unavailable()
    }
  }

  const forget = (hash: string) => {
    known.delete(hash)
    unknown.delete(hash)
    lookups.delete(hash)
  }

  const onNotify = (payload: string) => {
    const question = parseQuestion(payload)
    if (question !== undefined) {
      line = { ...line, heard: question }
      void renewGateway(db, line).catch(() => {}) // the next heartbeat says it again
    } else if (payload === "*") for (const memory of [known, unknown, lookups]) memory.clear()
    else forget(payload)
  }

  const onState = (up: boolean) => {
    if (!up) {
      provenAt = Number.NEGATIVE_INFINITY
      line = newLine(line.id)
      return
    }
    // Counted from before the renewal, so that this clock runs out before the one in the database.
    const at = now()
    const { id } = line
    const renewed = () => {
      if (id !== line.id) return
      if (!isTrusted()) epoch++
      provenAt = at
      isCutOff = false
    }
    void renewGateway(db, line).then(renewed, () => {})
  }

  const listening = db.listen(KEY_CHANNEL, { onNotify, onState })
  return {
    find,
    isTrusted,
    ready: listening.then(() => {}),
    close: async () => {
      await (await listening).close()
      await removeGateway(db, line.replaces ?? line.id).catch(() => {})
    },
  }
}

function newLine(replaces: string | undefined): GatewayRow {
  return { id: randomUUID(), heard: "0", replaces }
}

function unavailable(): GatewayError {
  return new GatewayError("keys_unavailable", "the gateway cannot check API keys at the moment, try again shortly")
}

interface Entry<T> {
  readonly value: T
  readonly epoch: number
  readonly until: number
}

/** At most `max` entries; the one that was used longest ago goes first. */
function createMemory<T>(max: number) {
  const entries = new Map<string, Entry<T>>()
  return {
    get: (hash: string): Entry<T> | undefined => {
      const entry = entries.get(hash)
      if (entry === undefined) return undefined
      entries.delete(hash)
      entries.set(hash, entry)
      return entry
    },
    set: (hash: string, entry: Entry<T>): void => {
      entries.delete(hash)
      entries.set(hash, entry)
      if (entries.size > max) entries.delete(entries.keys().next().value as string)
    },
    delete: (hash: string) => entries.delete(hash),
    clear: () => entries.clear(),
  }
}
