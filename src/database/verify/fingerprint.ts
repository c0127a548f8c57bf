import { findMiscounted, sumDays } from "./digests.ts"
import { REQUEST_HASHES, sumNumbers } from "./number.ts"
import { binDays, dayOf, IN_RANGE, inHours } from "./sql.ts"

/**
 * Comparing every counter of every group costs 20 us per request. Comparing the sum of the numbers of a day's requests with
 * that of its rollups costs a tenth of this, and finds the days on which anything differs.
 *
 * The statements take the first day ($1), the day after the last one ($2) and the metadata names ($3, $4 and so on).
 */
const sumRequests = (nameCount: number) => {
  const names = Array.from({ length: nameCount }, (_, i) => `$${i + 3}::text`)
  return `
  SELECT ${dayOf("starts")} AS starts, requests, gaps, dropped, number FROM (
    SELECT starts, count(*) AS requests, count(*) FILTER (WHERE outcome = 'gap') AS gaps,
      sum((usage ->> 'dropped')::bigint) FILTER (WHERE outcome = 'gap') AS dropped,
      ${sumNumbers(names)} AS number
    -- OFFSET 0 keeps the two queries apart, so that each hash is computed once, and the planner takes the days to be few.
    FROM (SELECT *, ${binDays("created_at")} AS starts, ${REQUEST_HASHES}
      FROM llm_requests WHERE ${inHours("created_at")} OFFSET 0) AS rows GROUP BY 1
  ) AS days`
}

/** Returns a statement that adds up the requests of each day. */
export function toRequestSums(nameCount: number): string {
  return `
  SELECT starts::text, requests::float8 AS requests, gaps::float8 AS gaps, coalesce(dropped, 0)::float8 AS dropped,
    trim_scale(coalesce(number, 0))::text AS number
  FROM (${sumRequests(nameCount)}) AS sums`
}

/**
 * Returns a statement that says for each day whether its rollups agree with its requests, in one snapshot. A day with values
 * that are counted as `(other)` does not agree. Days that were pruned in the meantime are left out.
 */
export function toFingerprints(nameCount: number): string {
  return `
  SELECT starts::text, coalesce(requests, 0)::float8 AS requests, coalesce(gaps, 0)::float8 AS gaps,
    coalesce(dropped, 0)::float8 AS dropped, digest,
    coalesce(r.number, 0) - coalesce(s.number, 0) = 0 AND m.starts IS NULL AS agrees
  FROM (${sumRequests(nameCount)}) AS r FULL JOIN (${sumDays(IN_RANGE)}) AS s USING (starts)
  LEFT JOIN (${findMiscounted(IN_RANGE)}) AS m USING (starts)
  WHERE starts >= coalesce((SELECT ${dayOf("pruned_before")} FROM majordomo_schema), '-infinity')`
}
