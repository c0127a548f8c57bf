import type { Database } from "./_database.ts"

const TIMEOUT_MS = 60_000

/**
 * Returns the midnight (UTC) before which requests may be deleted because the archive has them: the first day that has
 * requests and is not verified. Returns undefined if `archive.before_prune` is off, so that all requests may be deleted.
 */
export async function archivedUntil({ query }: Pick<Database, "query">): Promise<Date | undefined> {
  const { rows } = await query<{ archive_required: boolean }>("SELECT archive_required FROM majordomo_schema")
  if (rows[0]?.archive_required !== true) return undefined
  const found = await query<{ day: Date | null }>({ text: FIRST_UNVERIFIED, timeoutMs: TIMEOUT_MS })
  return found.rows[0]?.day ?? new Date(0)
}

/**
 * Goes from one day that has requests to the next one, by the index on created_at, until a day is not verified. If all
 * are verified, the bound is the day after the last verified one.
 */
const FIRST_UNVERIFIED = `
  WITH RECURSIVE days (day, is_verified) AS (
    SELECT day, EXISTS (SELECT FROM llm_archive_days a WHERE a.day = first.day AND status = 'verified')
    FROM (SELECT (min(created_at) AT TIME ZONE 'UTC')::date AS day FROM llm_requests) AS first
    UNION ALL
    SELECT next.day, EXISTS (SELECT FROM llm_archive_days a WHERE a.day = next.day AND status = 'verified')
    FROM days CROSS JOIN LATERAL (
      SELECT (min(created_at) AT TIME ZONE 'UTC')::date AS day FROM llm_requests
      WHERE created_at >= (days.day + 1)::timestamp AT TIME ZONE 'UTC') AS next
    WHERE is_verified AND next.day IS NOT NULL
  )
  SELECT coalesce(
    (SELECT day FROM days WHERE NOT is_verified AND day IS NOT NULL),
    (SELECT max(day) + 1 FROM llm_archive_days WHERE status = 'verified'))::timestamp AT TIME ZONE 'UTC' AS day`
