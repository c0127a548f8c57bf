// Parts of the statements of this folder. They take the first day as $1 and the day after the last one as $2.

/** The requests without an API key are counted under this id. */
export const NO_KEY = "'00000000-0000-0000-0000-000000000000'"
const FROM = "$1::date::timestamp AT TIME ZONE 'UTC'"
const UNTIL = "$2::date::timestamp AT TIME ZONE 'UTC'"
export const inHours = (column: string) => `${column} >= ${FROM} AND ${column} < ${UNTIL}`
export const inDays = (column: string) => `${column} >= $1::date AND ${column} < $2::date`
export const dayOf = (column: string) => `(${column} AT TIME ZONE 'UTC')::date`

/** The names whose totals contain every request. Only these are compared with requests, and only these are read by reports. */
export const NAMES = "SELECT name FROM llm_usage_metadata_names WHERE summed"

/** Which periods a statement reads: conditions on an hour and on a day. */
interface Scope {
  inHours(column: string): string
  inDays(column: string): string
}

export const IN_RANGE: Scope = { inHours, inDays }
export const EVERYTHING: Scope = { inHours: () => "true", inDays: () => "true" }

/** The metadata rollup by day: hashes of the rows of the names above and of all names, and whether values are `(other)`. */
export const toMetadataHashes = (scope: Scope) => `
  SELECT day, sum(hash) FILTER (WHERE is_summed) AS summed_hash, sum(hash) AS hash, bool_or(is_other) AS has_other
  FROM (SELECT day, value = '(other)' AS is_other, name IN (${NAMES}) AS is_summed, hash_record_extended(t, 4) AS hash
    FROM llm_usage_metadata t WHERE ${scope.inDays("day")}) AS rows
  GROUP BY 1`

/** Digests of the rollups by day: each changes with any counter of the day. They do not depend on the order of rows. */
export const digestOfDays = (scope: Scope, metadata = toMetadataHashes(scope)) => `
  SELECT day AS starts, sum(hash)::text AS digest FROM (
    SELECT ${dayOf("hour")} AS day, hash_record_extended(t, 1) AS hash FROM llm_usage_hourly t WHERE ${scope.inHours("hour")}
    UNION ALL SELECT ${dayOf("hour")}, hash_record_extended(t, 2) FROM llm_usage_hourly_keys t WHERE ${scope.inHours("hour")}
    UNION ALL SELECT day, hash_record_extended(t, 3) FROM llm_usage_daily t WHERE ${scope.inDays("day")}
    UNION ALL SELECT day, summed_hash FROM (${metadata}) AS metadata WHERE summed_hash IS NOT NULL
    UNION ALL SELECT day, hash_record_extended(t, 5) FROM llm_usage_metadata_values t
      WHERE ${scope.inDays("day")} AND name IN (${NAMES})
  ) AS hashes GROUP BY 1`

/** The same for weeks, and for the days that they are the sum of. */
export const digestOfWeeks = (scope: Scope, metadata = toMetadataHashes(scope)) => `
  SELECT week AS starts, sum(hash)::text AS digest FROM (
    SELECT week, hash_record_extended(t, 6) AS hash FROM llm_usage_metadata_weekly t WHERE ${scope.inDays("week")}
    UNION ALL SELECT date_trunc('week', day)::date, hash FROM (${metadata}) AS metadata
      WHERE day < (SELECT folded_before FROM majordomo_schema)
  ) AS hashes GROUP BY 1`
