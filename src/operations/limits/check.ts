import { LimitFilter } from "../../core/limit-filter.ts"
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
  const metadata = addMetadataOfKey(where, key)
  const request = { keyId: key?.id, provider: provider?.toLowerCase(), requestedModel: model, metadata }
  const found = (await listLimits(database)).map((limit) => ({ limit, filter: new LimitFilter(limit) }))
  const names = await readKeyNames(database)
  const listed = await Promise.all(
    found
      .filter(({ filter }) => filter.matches(request, model))
      .map(async ({ limit, filter }) => {
        const value = filter.groupOf(request, model)
        const [state] = await readLimitStates(database, { at: now(), limit: limit.id, top: 1, value })
        return toListedLimit(limit, state, names)
      }),
  )
  return listed.sort((a, b) => toShareLeft(a) - toShareLeft(b))
}

/**
 * Returns what is left of the limits that apply to all requests of an API key: those of this key, those with an amount for
 * each key, and those without a filter on keys, except what other values of their `per` have used.
 *
 * @throws InputError if there is no such key
 */
export async function listLimitsOfKey(
  context: Context<"database" | "now">,
  { key: nameOrId }: { readonly key: string },
): Promise<readonly ListedLimit[]> {
  return listLimitsOf(context, resolveKey(nameOrId, await listKeys(context.database)))
}

/** Does the same for a key whose name is known, without reading all keys. */
export async function listLimitsOf(
  { database, now }: Context<"database" | "now">,
  { id: key, name }: Pick<ApiKey, "id" | "name">,
): Promise<readonly ListedLimit[]> {
  const names = new Map([[key, name]])
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

function addMetadataOfKey(where: CheckedRequest["where"], key: ApiKey | undefined): CheckedRequest["where"] {
  return { ...key?.metadata?.defaults, ...where, ...key?.metadata?.locked }
}

function toShareLeft({ amount, remaining }: ListedLimit): number {
  return Number(amount) === 0 ? 0 : Number(remaining) / Number(amount)
}
