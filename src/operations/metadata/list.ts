import { NEWEST, listMetadata as readNames, type MetadataName as StoredName } from "../../database/metadata.ts"
import type { Context } from "../context.ts"

/** The number of newest requests in which the values of a name without rollups are counted. */
export const SAMPLED_REQUESTS = NEWEST

/** A metadata name that requests carried, over all API keys. */
export interface MetadataName {
  readonly name: string
  readonly requests: number
  /** Null: it was not asked for. */
  readonly distinct_values: number | null
  /** Which requests `distinct_values` counts: all of them, or the newest only. */
  readonly distinct_values_of: string
  /** ISO 8601 in UTC: reports do not know the values of earlier requests, which were pruned. Null: they know all. */
  readonly counted_since: string | null
  /** `some`: only for the API keys in `active_keys`. */
  readonly active: "all" | "some" | "none"
  readonly active_keys: readonly string[]
  /** ISO 8601 in UTC. */
  readonly last_seen_at: string | null
}

const ALL_REQUESTS = "all requests"

/**
 * Lists the metadata names that requests carried, the most used first.
 * @param input.values whether to count the values of each name, which takes seconds with millions of requests
 */
export async function listMetadata(
  { database }: Context<"database">,
  { values }: { readonly values: boolean },
): Promise<readonly MetadataName[]> {
  return (await readNames(database, values)).map(toMetadataName)
}

/** Returns whether the distinct values of a name are counted over all requests. */
export function isCountedWhole({ distinct_values_of }: MetadataName): boolean {
  return distinct_values_of === ALL_REQUESTS
}

function toMetadataName(name: StoredName): MetadataName {
  return {
    name: name.name,
    requests: name.requests,
    distinct_values: name.distinctValues ?? null,
    distinct_values_of: name.isCountedWhole ? ALL_REQUESTS : `the newest ${SAMPLED_REQUESTS} requests`,
    counted_since: name.countedSince ?? null,
    active: name.active,
    active_keys: name.activeKeys,
    last_seen_at: name.lastSeenAt ?? null,
  }
}
