/** Parts of the statements of this folder. They take the first day as $1 and the day after the last one as $2. */

/** The requests without an API key are counted under this id. */
export const NO_KEY = "'00000000-0000-0000-0000-000000000000'"
const FROM = "$1::date::timestamp AT TIME ZONE 'UTC'"
const UNTIL = "$2::date::timestamp AT TIME ZONE 'UTC'"
export const inHours = (column: string) => `${column} >= ${FROM} AND ${column} < ${UNTIL}`
export const inDays = (column: string) => `${column} >= $1::date AND ${column} < $2::date`
export const dayOf = (column: string) => `(${column} AT TIME ZONE 'UTC')::date`

/** The names whose totals contain every request. Only these are compared with requests, and only these are read by reports. */
export const NAMES = "SELECT name FROM llm_usage_metadata_names WHERE summed"

/** Digests of the rollups by day: each changes with any counter of the day. They do not depend on the order of rows. */
export const digestOfDays = (inRange: (column: string) => string, inRangeOfHours: (column: string) => string) => `
  SELECT day AS starts, sum(hash)::text AS digest FROM (
    SELECT ${dayOf("hour")} AS day, hash_record_extended(t, 1) AS hash FROM llm_usage_hourly t WHERE ${inRangeOfHours("hour")}
    UNION ALL SELECT ${dayOf("hour")}, hash_record_extended(t, 2) FROM llm_usage_hourly_keys t WHERE ${inRangeOfHours("hour")}
    UNION ALL SELECT day, hash_record_extended(t, 3) FROM llm_usage_daily t WHERE ${inRange("day")}
    UNION ALL SELECT day, hash_record_extended(t, 4) FROM llm_usage_metadata t
      WHERE ${inRange("day")} AND name IN (${NAMES})
    UNION ALL SELECT day, hash_record_extended(t, 5) FROM llm_usage_metadata_values t
      WHERE ${inRange("day")} AND name IN (${NAMES})
  ) AS hashes GROUP BY 1`

/** The same for weeks, and for the days that they are the sum of. */
export const digestOfWeeks = (inRange: (column: string) => string) => `
  SELECT week AS starts, sum(hash)::text AS digest FROM (
    SELECT week, hash_record_extended(t, 6) AS hash FROM llm_usage_metadata_weekly t WHERE ${inRange("week")}
    UNION ALL SELECT date_trunc('week', day)::date, hash_record_extended(t, 4) FROM llm_usage_metadata t
      WHERE ${inRange("day")} AND day < (SELECT folded_before FROM majordomo_schema)
  ) AS hashes GROUP BY 1`
