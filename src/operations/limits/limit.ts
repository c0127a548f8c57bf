import { toLimitFields } from "../../config/limits.ts"
import type { Limit } from "../../core/limit.ts"
import type { RunQuery } from "../../database/_database.ts"
import { listKeys } from "../../database/keys.ts"
import type { LimitState } from "../../database/limits.ts"
import { describeLimit } from "./describe.ts"

/** A limit as JSON shows it, with the fields of the configuration. An absent filter is null. */
export type LimitObject = ReturnType<typeof toLimitFields> & {
  readonly id: string
  /** The name of the API key of the filter; null if it has none. */
  readonly key_name: string | null
  /** `config`: it stands in the configuration, and only there it can be changed. */
  readonly source: Limit["source"]
  /** What it allows, in one sentence. */
  readonly summary: string
}

/** What is left of a limit in its present window. Amounts are plain decimals in the unit of the measure, times ISO 8601. */
export interface LimitUsageObject {
  /** The value of `per` with this use; null for a limit without it, and for one that no request has used. */
  readonly value: string | null
  /** The value as people know it: the name of an API key in place of its id. */
  readonly value_name: string | null
  /** What requests have used whose rows are in the database. */
  readonly used: string
  /** What gateways hold for running requests, and for the next ones. */
  readonly reserved: string
  /** The rest, at least 0. */
  readonly remaining: string
  readonly window_start: string | null
  /** When the window ends; null for a limit without one. */
  readonly resets_at: string | null
}

/** A limit with its use; one with `per`, with the use of the value that has used most. */
export type ListedLimit = LimitObject & LimitUsageObject

/** The names of API keys by id. */
export type KeyNames = ReadonlyMap<string, string>

export async function readKeyNames(database: { readonly query: RunQuery }): Promise<KeyNames> {
  return new Map((await listKeys(database)).map(({ id, name }) => [id, name]))
}

/** Returns the public form of a limit. */
export function toLimitObject({ id, source, ...limit }: Limit, names: KeyNames): LimitObject {
  const keyName = limit.key === undefined ? undefined : (names.get(limit.key) ?? limit.key)
  return {
    id,
    ...toLimitFields(limit),
    key_name: keyName ?? null,
    source,
    summary: describeLimit({ ...limit, keyName }),
  }
}

/** Returns the public form of what is left of a limit. */
export function toUsageObject({ limit, value, ...state }: LimitState, names: KeyNames): LimitUsageObject {
  const isDivided = limit.per !== undefined
  return {
    value: isDivided ? value : null,
    value_name: isDivided ? (limit.per === "key" && names.get(value)) || value : null,
    used: state.used,
    reserved: state.reserved,
    remaining: state.remaining,
    window_start: state.windowStart ?? null,
    resets_at: state.resetsAt ?? null,
  }
}

/** Returns a limit with its use. Without a state nothing was used yet. */
export function toListedLimit(limit: Limit, state: LimitState | undefined, names: KeyNames): ListedLimit {
  const unused = {
    value: null,
    value_name: null,
    used: "0",
    reserved: "0",
    remaining: limit.amount,
    window_start: null,
    resets_at: null,
  }
  return { ...toLimitObject(limit, names), ...(state === undefined ? unused : toUsageObject(state, names)) }
}
