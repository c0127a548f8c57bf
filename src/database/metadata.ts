import { CommandError } from "../core/errors.ts"
import type { Database, RunQuery } from "./_database.ts"

/** A metadata name over all keys. */
export interface MetadataName {
  readonly name: string
  readonly requests: number
  /** Counted over the sums where the name is summed, else over the newest requests alone. */
  readonly distinctValues: number
  readonly isCountedWhole: boolean
  /** `all`: for every key, those to come included; `some`: for the keys named. */
  readonly active: "all" | "some" | "none"
  readonly activeKeys: readonly string[]
  /** ISO 8601 in UTC. */
  readonly lastSeenAt: string | undefined
}

/** Requests that are looked through for the values of names that are not summed. */
export const NEWEST = 20_000

/** Most used first. */
export async function listMetadata(db: Database): Promise<MetadataName[]> {
  const { rows } = await db.query<NameRow>({
    text: `
    WITH used AS (
      SELECT m.key_name AS name, sum(m.request_count) AS requests, max(m.last_seen_at) AS last_seen_at,
        coalesce(array_agg(coalesce(k.name, m.majordomo_api_key_id::text) ORDER BY k.name) FILTER (WHERE m.is_active), '{}') AS active_keys
      FROM llm_requests_metadata_keys m LEFT JOIN api_keys k ON k.id = m.majordomo_api_key_id GROUP BY 1
    ), seen AS (
      SELECT e.key AS name, count(DISTINCT e.value) AS distinct_values FROM (
        SELECT raw_metadata FROM llm_requests WHERE jsonb_typeof(raw_metadata) = 'object' ORDER BY created_at DESC LIMIT $1) r
      CROSS JOIN jsonb_each_text(r.raw_metadata) e GROUP BY 1
    ), summed AS (
      SELECT name, (SELECT count(DISTINCT value) FROM llm_usage_metadata m WHERE m.name = n.name) AS distinct_values
      FROM llm_usage_metadata_names n WHERE summed
    )
    SELECT coalesce(u.name, n.name) AS name, coalesce(u.requests, 0)::text AS requests, u.last_seen_at, coalesce(u.active_keys, '{}') AS active_keys,
      coalesce(n.every_key, false) AS every_key, s.name IS NOT NULL AS is_summed,
      coalesce(s.distinct_values, v.distinct_values, 0)::int AS distinct_values
    FROM used u FULL JOIN llm_usage_metadata_names n ON n.name = u.name
    LEFT JOIN summed s ON s.name = coalesce(u.name, n.name) LEFT JOIN seen v ON v.name = coalesce(u.name, n.name)
    ORDER BY u.requests DESC NULLS LAST, 1`,
    values: [NEWEST],
    timeoutMs: 120_000,
  })
  return rows.map((row) => ({
    name: row.name,
    requests: Number(row.requests),
    distinctValues: row.distinct_values,
    isCountedWhole: row.is_summed,
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
  readonly every_key: boolean
  readonly active_keys: string[]
  readonly last_seen_at: Date | null
}

/** A metadata name, for one key (by id or name) or, without, for all keys and those to come. */
export interface NameChoice {
  readonly name: string
  readonly key: string | undefined
}

/** Makes a name active for all requests to come. Earlier ones are `backfill`'s work. */
export async function activateName(db: Database, choice: NameChoice): Promise<void> {
  const keyIds = await findKeyIds(db, choice.key)
  await db.transaction(async (query) => {
    await lockNames(query)
    if (keyIds === undefined) {
      await query({
        text: "INSERT INTO llm_usage_metadata_names (name, every_key) VALUES ($1, true) ON CONFLICT (name) DO UPDATE SET every_key = true",
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
      text: "INSERT INTO llm_usage_metadata_names (name) VALUES ($1) ON CONFLICT DO NOTHING",
      values: [choice.name],
    })
  })
}

/** Further requests are not indexed by the name; when no key has it active any more, its sums go. */
export async function deactivateName(db: Database, choice: NameChoice): Promise<void> {
  const keyIds = await findKeyIds(db, choice.key)
  await db.transaction(async (query) => {
    await lockNames(query)
    const before = await query({
      text: `SELECT FROM llm_usage_metadata_names WHERE name = $1 AND every_key
        UNION ALL SELECT FROM llm_requests_metadata_keys WHERE key_name = $1 AND is_active AND ($2::uuid[] IS NULL OR majordomo_api_key_id = ANY ($2))`,
      values: [choice.name, keyIds],
    })
    if (before.rowCount === 0) {
      const whose = choice.key === undefined ? "" : " for this key"
      throw new CommandError(`the metadata name "${choice.name}" is not active${whose}: see metadata list`)
    }
    await query({
      text: "UPDATE llm_usage_metadata_names SET every_key = false WHERE name = $1",
      values: [choice.name],
    })
    await query({
      text: "UPDATE llm_requests_metadata_keys SET is_active = false WHERE key_name = $1 AND ($2::uuid[] IS NULL OR majordomo_api_key_id = ANY ($2))",
      values: [choice.name, keyIds],
    })
  })
}

/** Changes of names come one after the other. */
function lockNames(query: RunQuery) {
  return query("SELECT pg_advisory_xact_lock(7680, 4)")
}

async function findKeyIds(db: Database, key: string | undefined): Promise<string[] | undefined> {
  if (key === undefined) return undefined
  const { rows } = await db.query<{ id: string }>({
    text: "SELECT id FROM api_keys WHERE id::text = lower($1) OR name = $1",
    values: [key],
  })
  if (rows.length === 0) throw new CommandError(`there is no API key with this id or name: see keys list`)
  return rows.map(({ id }) => id)
}
