import { RUN_ROLLUP } from "../run-counters.ts"
import { NUMBER_OF } from "./number.ts"
import { dayOf, NAMES, type Scope } from "./sql.ts"

/** The metadata rollup by day and name. `is_summed`: it is one of the names above. `cells`: its values on that day. */
export const sumMetadata = (scope: Scope) => `
  -- OFFSET 0 keeps the two queries apart, so that each number is computed once.
  SELECT day, name, name IN (${NAMES}) AS is_summed, sum(number) AS number, count(*) AS cells, bool_or(is_other) AS has_other
  FROM (SELECT day, name, value = '(other)' AS is_other, ${NUMBER_OF.llm_usage_metadata} AS number
    FROM llm_usage_metadata WHERE ${scope.inDays("day")} OFFSET 0) AS rows
  GROUP BY 1, 2`

/**
 * The rollups by day: `number` is what the requests of the day must have as their sum. `digest` changes also with the
 * number of distinct values, and with the rollup of runs. Neither depends on the order of rows.
 */
export const sumDays = (scope: Scope, metadata = sumMetadata(scope)) => `
  SELECT starts, sum(number) FILTER (WHERE is_total) AS number, sum(number)::text AS digest FROM (
    SELECT ${dayOf("hour")} AS starts, true AS is_total, ${NUMBER_OF.llm_usage_hourly} AS number
      FROM llm_usage_hourly WHERE ${scope.inHours("hour")}
    UNION ALL SELECT ${dayOf("hour")}, true, ${NUMBER_OF.llm_usage_hourly_keys}
      FROM llm_usage_hourly_keys WHERE ${scope.inHours("hour")}
    UNION ALL SELECT day, true, ${NUMBER_OF.llm_usage_daily} FROM llm_usage_daily WHERE ${scope.inDays("day")}
    UNION ALL SELECT day, true, number FROM (${metadata}) AS metadata WHERE is_summed
    UNION ALL SELECT day, false, hash_record_extended(t, 5) FROM llm_usage_metadata_values t
      WHERE ${scope.inDays("day")} AND name IN (${NAMES})
    UNION ALL SELECT ${dayOf("hour")}, false, hash_record_extended(t, 6) FROM ${RUN_ROLLUP} t WHERE ${scope.inHours("hour")}
  ) AS rows GROUP BY 1`

/** The days on which the number of distinct values of a name is not that of its values. */
export const findMiscounted = (scope: Scope, metadata = sumMetadata(scope)) => `
  SELECT DISTINCT day AS starts
  FROM (SELECT name, day, cells FROM (${metadata}) AS metadata WHERE is_summed) AS m
  FULL JOIN (SELECT * FROM llm_usage_metadata_values WHERE ${scope.inDays("day")} AND name IN (${NAMES})) AS v USING (name, day)
  WHERE coalesce(cells, 0) <> coalesce(distinct_values, 0)`

/** Whether the rollups by week agree with those of their days. */
export const compareWeeks = (scope: Scope, metadata = sumMetadata(scope)) => `
  SELECT week AS starts, coalesce(sum(number) FILTER (WHERE is_weekly), 0) - coalesce(sum(number) FILTER (WHERE NOT is_weekly), 0) = 0 AS agrees
  FROM (
    SELECT week, true AS is_weekly, ${NUMBER_OF.llm_usage_metadata_weekly} AS number
      FROM llm_usage_metadata_weekly WHERE ${scope.inDays("week")}
    UNION ALL SELECT date_trunc('week', day)::date, false, number FROM (${metadata}) AS metadata
      WHERE day < (SELECT folded_before FROM majordomo_schema)
  ) AS rows GROUP BY 1`
