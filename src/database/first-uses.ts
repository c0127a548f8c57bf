import type { Database } from "./_database.ts"
import { toStorableJson } from "./storable.ts"

type Queryable = Pick<Database, "query">

const TIMEOUT_MS = 30_000

/** The first request of an API key. */
interface FirstUse {
  readonly keyId: string
  readonly name: string | null
  /** The request; null if its row is not in the database yet. */
  readonly requestId: string | null
  readonly provider: string | null
  readonly model: string | null
}

/**
 * Returns those of some keys that were first used in the last 24 hours. A day, because a gateway that died before it could say
 * so must not make the second use look like a later one.
 */
export async function findNewKeys(db: Queryable, ids: readonly string[]): Promise<readonly FirstUse[]> {
  const { rows } = await db.query<FirstUse>({
    text: `SELECT c.id::text AS "keyId", k.name, f.id::text AS "requestId", f.provider, f.model
      -- OFFSET 0: requests are read only of keys that have few.
      FROM (SELECT id FROM unnest($1::uuid[]) AS given(id) WHERE NOT EXISTS (SELECT FROM llm_usage_daily d
        WHERE d.majordomo_api_key_id = given.id AND d.day < (now() AT TIME ZONE 'UTC')::date - 1) OFFSET 0) AS c
      LEFT JOIN api_keys k ON k.id = c.id
      LEFT JOIN LATERAL (SELECT id, provider, model, requested_at FROM llm_requests
        WHERE majordomo_api_key_id = c.id ORDER BY requested_at LIMIT 1) AS f ON true
      WHERE coalesce(f.requested_at, now()) > now() - interval '1 day'`,
    values: [ids],
    timeoutMs: TIMEOUT_MS,
  })
  return rows
}

interface ModelName {
  readonly provider: string
  readonly model: string
}

/** Returns those of some models whose requests had no price in the last 24 hours only, and the names of the keys. */
export async function findNewlyUnpriced<T extends ModelName & { readonly keyId: string | undefined }>(
  db: Queryable,
  models: readonly T[],
): Promise<readonly (ModelName & { readonly key: string | null })[]> {
  const { rows } = await db.query<ModelName & { readonly key: string | null }>({
    text: `SELECT c.provider, c.model, k.name AS key
      FROM jsonb_to_recordset($1) AS c(provider text, model text, key uuid)
      LEFT JOIN api_keys k ON k.id = c.key
      WHERE NOT EXISTS (SELECT FROM llm_usage_hourly h WHERE h.provider = c.provider AND h.model = c.model
        AND h.unpriced > 0 AND h.unpriced = h.requests AND h.hour < now() - interval '1 day')`,
    values: [toStorableJson(models.map(({ provider, model, keyId }) => ({ provider, model, key: keyId ?? null })))],
    timeoutMs: TIMEOUT_MS,
  })
  return rows
}

/** Returns the models of the last 30 days with their cost in USD, the costliest first. */
export async function listModelsInUse(
  db: Queryable,
  most: number,
): Promise<readonly (ModelName & { readonly cost: string | null })[]> {
  const { rows } = await db.query<ModelName & { readonly cost: string | null }>({
    text: `SELECT provider, model, trim_scale(sum(total_cost))::text AS cost FROM llm_usage_hourly
      WHERE hour > now() - interval '30 days' AND model <> ''
      GROUP BY provider, model ORDER BY sum(total_cost) DESC NULLS LAST, provider, model LIMIT $1`,
    values: [most],
    timeoutMs: TIMEOUT_MS,
  })
  return rows
}
