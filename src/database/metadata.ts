import { CommandError, NotFoundError } from "../core/errors.ts"
import type { Database, RunQuery } from "./_database.ts"
import { lockFirst, lockRollups, retryDeadlocks } from "./locks.ts"

/** How a metadata name is used, over all API keys. */
export interface MetadataName {
  readonly name: string
  readonly requests: number
  /**
   * Counted in the rollups if they are complete for the name (`isCountedWhole`), else over the newest requests. Undefined if
   * it was not asked for.
   */
  readonly distinctValues: number | undefined
  readonly isCountedWhole: boolean
  /**
   * ISO 8601 in UTC: its rollups lack requests before it, which were pruned before the name was active. Undefined if they
   * lack none.
   */
  readonly countedSince: string | undefined
  /** `all` means every key, including future ones; `some` means the keys in `activeKeys`. */
  readonly active: "all" | "some" | "none"
  readonly activeKeys: readonly string[]
  /** ISO 8601 in UTC. */
  readonly lastSeenAt: string | undefined
}

/** The number of newest requests in which the values of other names are counted. */
export const NEWEST = 20_000

/**
 * Returns all metadata names, the most used first.
 * @param countsValues whether to count the values of each name, which takes seconds with millions of requests
 */
export async function listMetadata(db: Database, countsValues: boolean): Promise<MetadataName[]> {
  const { rows } = await db.query<NameRow>({
    text: `
    WITH used AS (
      SELECT m.key_name AS name, sum(m.request_count) AS requests, max(m.last_seen_at) AS last_seen_at,
        coalesce(array_agg(coalesce(k.name, m.majordomo_api_key_id::text) ORDER BY k.name) FILTER (WHERE m.is_active), '{}') AS active_keys
      FROM llm_requests_metadata_keys m LEFT JOIN api_keys k ON k.id = m.majordomo_api_key_id GROUP BY 1
    ), recent AS (
      SELECT e.key AS name, count(DISTINCT e.value) AS distinct_values FROM (
        SELECT raw_metadata FROM llm_requests WHERE jsonb_typeof(raw_metadata) = 'object' ORDER BY created_at DESC LIMIT $1) r
      CROSS JOIN jsonb_each_text(r.raw_metadata) e GROUP BY 1
    ), summed AS (
      SELECT name, (SELECT count(*) FROM (SELECT DISTINCT value FROM llm_usage_metadata m WHERE m.name = n.name AND $2) v) AS distinct_values
      FROM llm_usage_metadata_names n WHERE summed
    )
    SELECT coalesce(u.name, n.name) AS name, coalesce(u.requests, 0)::text AS requests, u.last_seen_at, coalesce(u.active_keys, '{}') AS active_keys,
      coalesce(n.every_key, false) AS every_key, s.name IS NOT NULL AS is_summed, n.summed_since,
      coalesce(s.distinct_values, v.distinct_values, 0)::int AS distinct_values
    FROM used u FULL JOIN llm_usage_metadata_names n ON n.name = u.name
    LEFT JOIN summed s ON s.name = coalesce(u.name, n.name) LEFT JOIN recent v ON v.name = coalesce(u.name, n.name)
    ORDER BY u.requests DESC NULLS LAST, 1`,
    values: [countsValues ? NEWEST : 0, countsValues],
    timeoutMs: 120_000,
  })
  return rows.map((row) => ({
    name: row.name,
    requests: Number(row.requests),
    distinctValues: countsValues ? row.distinct_values : undefined,
    isCountedWhole: row.is_summed,
    countedSince: row.summed_since?.toISOString(),
    active: row.every_key ? "all" : row.active_keys.length > 0 ? "some" : "none",
    activeKeys: row.active_keys,
    lastSeenAt: row.last_seen_at?.toISOString(),
  }))
}

interface NameRow {
  readonly name: string
  readonly requests: string
  readonly distinct_values: number
  readonly is_summed: boolean
  readonly summed_since: Date | null
  readonly every_key: boolean
  readonly active_keys: string[]
  readonly last_seen_at: Date | null
}

/** A metadata name, for one API key (by its id or name), or for all keys and future ones if `key` is undefined. */
export interface NameChoice {
  readonly name: string
  readonly key: string | undefined
}

/** What belongs to the same transaction. */
type Also = (query: RunQuery) => Promise<void>

/** Activates a name for future requests. `backfillName` adds the earlier ones. */
export async function activateName(db: Database, choice: NameChoice, also: Also = async () => {}): Promise<void> {
  const keyIds = await findKeyIds(db, choice.key)
  await changeNames(db, async (query) => {
    await also(query)
    if (keyIds === undefined) {
      await query({
        text: `INSERT INTO llm_usage_metadata_names (name, every_key, changed_at) VALUES ($1, true, clock_timestamp())
          ON CONFLICT (name) DO UPDATE SET every_key = true, changed_at = excluded.changed_at`,
        values: [choice.name],
      })
      await query({
        text: "UPDATE llm_requests_metadata_keys SET is_active = true, activated_at = now() WHERE key_name = $1 AND NOT is_active",
        values: [choice.name],
      })
      return
    }
    await query({
      text: `INSERT INTO llm_requests_metadata_keys (majordomo_api_key_id, key_name, is_active, activated_at)
        SELECT id, $2, true, now() FROM unnest($1::uuid[]) AS id ON CONFLICT (majordomo_api_key_id, key_name)
        DO UPDATE SET is_active = true, activated_at = coalesce(llm_requests_metadata_keys.activated_at, now())`,
      values: [keyIds, choice.name],
    })
    await query({
      text: `INSERT INTO llm_usage_metadata_names (name, changed_at) VALUES ($1, clock_timestamp())
        ON CONFLICT (name) DO UPDATE SET changed_at = excluded.changed_at`,
      values: [choice.name],
    })
  })
}

/** Deactivates a name for future requests. When it is active for no key, the database deletes its rollups. */
export async function deactivateName(db: Database, choice: NameChoice, also: Also = async () => {}): Promise<void> {
  const keyIds = await findKeyIds(db, choice.key)
  await changeNames(db, async (query) => {
    await also(query)
    const active = await query({
      text: `SELECT FROM llm_usage_metadata_names WHERE name = $1 AND every_key
        UNION ALL SELECT FROM llm_requests_metadata_keys WHERE key_name = $1 AND is_active AND ($2::uuid[] IS NULL OR majordomo_api_key_id = ANY ($2))`,
      values: [choice.name, keyIds],
    })
    if (active.rowCount === 0) {
      const forKey = choice.key === undefined ? "" : " for this key"
      throw new CommandError(`the metadata name "${choice.name}" is not active${forKey}: see metadata list`)
    }
    await query({
      text: "UPDATE llm_usage_metadata_names SET every_key = false, changed_at = clock_timestamp() WHERE name = $1",
      values: [choice.name],
    })
    await query({
      text: "UPDATE llm_requests_metadata_keys SET is_active = false WHERE key_name = $1 AND ($2::uuid[] IS NULL OR majordomo_api_key_id = ANY ($2))",
      values: [choice.name, keyIds],
    })
  })
}

/** Changes names in one transaction. Concurrent changes wait for each other. */
function changeNames(db: Database, change: (query: RunQuery) => Promise<void>): Promise<void> {
  return retryDeadlocks(() =>
    db.transaction(async (query) => {
      await lockFirst(query, 4)
      await lockRollups(query)
      await change(query)
    }),
  )
}

async function findKeyIds(db: Database, key: string | undefined): Promise<string[] | undefined> {
  if (key === undefined) return undefined
  const { rows } = await db.query<{ id: string }>({
    text: "SELECT id FROM api_keys WHERE id::text = lower($1) OR name = $1",
    values: [key],
  })
  if (rows.length === 0) throw new NotFoundError(`there is no API key with this id or name: see keys list`)
  return rows.map(({ id }) => id)
}
