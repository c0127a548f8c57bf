import { type Limit, MAX_VALUE_LENGTH, NO_VALUE } from "../../core/limit.ts"
import type { ApiKey } from "../../database/key-rows.ts"
import { listKeys } from "../../database/keys.ts"
import { listLimits, readLimitStates } from "../../database/limits.ts"
import type { Context } from "../context.ts"
import { resolveKey } from "./input.ts"
import { type ListedLimit, readKeyNames, toListedLimit } from "./limit.ts"

/** A request whose limits are asked for. What is not given may be anything. */
interface CheckedRequest {
  /** The id or the name of an API key. */
  readonly key?: string | undefined
  readonly provider?: string | undefined
  readonly model?: string | undefined
  /** Its metadata; the values that the key sets are added. */
  readonly where: Readonly<Record<string, string>>
}

/**
 * Returns the limits that apply to a request and what is left of each, the tightest first.
 *
 * @throws InputError if there is no such key
 */
export async function checkLimits(
  { database, now }: Context<"database" | "now">,
  { key: nameOrId, provider, model, where }: CheckedRequest,
): Promise<readonly ListedLimit[]> {
  const key = nameOrId === undefined ? undefined : resolveKey(nameOrId, await listKeys(database))
  const request = { key: key?.id, provider: provider?.toLowerCase(), model, metadata: addMetadataOfKey(where, key) }
  const limits = (await listLimits(database)).filter((limit) => appliesTo(limit, request))
  const names = await readKeyNames(database)
  const listed = await Promise.all(
    limits.map(async (limit) => {
      const value = findValue(limit, request)
      const [state] = await readLimitStates(database, { at: now(), limit: limit.id, top: 1, value })
      return toListedLimit(limit, state, names)
    }),
  )
  return listed.sort((a, b) => toShareLeft(a) - toShareLeft(b))
}

/**
 * Returns what is left of the limits that apply to all requests of an API key: those of this key, those with an amount for
 * each key, and those without a filter on keys, except what other values of their `per` have used.
 */
export async function listLimitsOfKey(
  { database, now }: Context<"database" | "now">,
  { key }: { readonly key: string },
): Promise<readonly ListedLimit[]> {
  const names = await readKeyNames(database)
  const own = (await listLimits(database)).filter((limit) =>
    limit.key === undefined ? limit.per === undefined || limit.per === "key" : limit.key === key,
  )
  return Promise.all(
    own.map(async (limit) => {
      const value = limit.per === "key" ? key : undefined
      const [state] = await readLimitStates(database, { at: now(), limit: limit.id, top: 1, value })
      return toListedLimit(limit, state, names)
    }),
  )
}

interface RequestFacts {
  readonly key: string | undefined
  readonly provider: string | undefined
  readonly model: string | undefined
  readonly metadata: Readonly<Record<string, string>>
}

function appliesTo(limit: Limit, { key, provider, model, metadata }: RequestFacts): boolean {
  const { where = {} } = limit
  return (
    (limit.key === undefined || key === undefined || limit.key === key) &&
    (limit.provider === undefined || provider === undefined || limit.provider === provider) &&
    (limit.model === undefined || model === undefined || matches(limit.model, model)) &&
    Object.entries(where).every(([name, wanted]) => matches(wanted, metadata[name]))
  )
}

function matches(wanted: string, actual: string | undefined): boolean {
  if (actual === undefined) return false
  return wanted.endsWith("*") ? actual.startsWith(wanted.slice(0, -1)) : actual === wanted
}

/** Returns the value of `per` of a request; undefined if it is not known, so that any may be meant. */
function findValue({ per }: Limit, { key, model, metadata }: RequestFacts): string | undefined {
  if (per === undefined) return undefined
  if (per === "key") return key
  if (per === "model") return model
  return [...(metadata[per] ?? NO_VALUE)].slice(0, MAX_VALUE_LENGTH).join("")
}

function addMetadataOfKey(where: CheckedRequest["where"], key: ApiKey | undefined): CheckedRequest["where"] {
  return { ...key?.metadata?.defaults, ...where, ...key?.metadata?.locked }
}

function toShareLeft({ amount, remaining }: ListedLimit): number {
  return Number(amount) === 0 ? 0 : Number(remaining) / Number(amount)
}
