import type { Database, RunQuery } from "../_database.ts"
import { toErrorCode } from "../failures.ts"
import { compareWeeks, findMiscounted, sumDays, sumMetadata } from "./digests.ts"
import { binDays, dayOf, EVERYTHING } from "./sql.ts"

/** Reading millions of rows may take long. */
export const TIMEOUT_MS = 6 * 3_600_000

/** The contents of a period when it was read or proven. */
export interface PeriodSummary {
  /** The first day (UTC): `2026-11-28`. */
  readonly starts: string
  /** The rows of llm_requests on that day, gaps included. 0 for a week. */
  readonly requests: number
  /** Those of them with the outcome `gap`, and the requests that these stand for. */
  readonly gaps: number
  readonly dropped: number
  /** The digest of all rollups of the period. */
  readonly digest: string
}

/** A day or a week that has requests or rollups. */
export interface Period extends PeriodSummary {
  readonly period: "day" | "week"
  /**
   * A day was proven, and neither its rollups nor the number of its rows have changed since. A week agrees with its days,
   * which is proven each time.
   */
  readonly isProven: boolean
  /** What the numbers of the day's requests must add up to; null if its number of distinct values is wrong. */
  readonly number: string | null
  /** Its requests were pruned, so that its rollups can only be compared with each other. */
  readonly isPruned: boolean
  /** Some of its metadata values are counted as `(other)`. */
  readonly hasOther: boolean
  /** Seconds since the epoch; 0 if it was never proven. */
  readonly verifiedAt: number
}

const METADATA = "SELECT * FROM metadata"

const OVERVIEW = `
  WITH facts AS (
    SELECT coalesce(${dayOf("pruned_before")}, '-infinity') AS pruned_before FROM majordomo_schema
  ), requests AS (
    SELECT ${dayOf("starts")} AS starts, requests
    FROM (SELECT starts, count(*) AS requests
      FROM (SELECT ${binDays("created_at")} AS starts FROM llm_requests OFFSET 0) AS rows GROUP BY 1) AS days
  ), metadata AS MATERIALIZED (${sumMetadata(EVERYTHING)}
  ), others AS (
    SELECT DISTINCT day AS starts FROM metadata WHERE is_summed AND has_other
  ), miscounted AS (${findMiscounted(EVERYTHING, METADATA)}
  ), days AS (
    SELECT starts, coalesce(r.requests, 0) AS requests, coalesce(s.digest, '0') AS digest,
      CASE WHEN m.starts IS NULL THEN trim_scale(coalesce(number, 0))::text END AS number, o.starts IS NOT NULL AS has_other
    FROM requests r FULL JOIN (${sumDays(EVERYTHING, METADATA)}) AS s USING (starts)
    LEFT JOIN miscounted m USING (starts) LEFT JOIN others o USING (starts)
  )
  SELECT 'day' AS period, starts::text, d.requests::float8 AS requests, d.digest, number, coalesce(v.gaps, 0)::float8 AS gaps,
    coalesce(v.dropped, 0)::float8 AS dropped, coalesce((d.requests, d.digest) = (v.requests, v.digest), false) AS "isProven",
    starts < pruned_before AS "isPruned", has_other AS "hasOther",
    coalesce(extract(epoch FROM v.verified_at), 0)::float8 AS "verifiedAt"
  FROM days d CROSS JOIN facts LEFT JOIN (SELECT * FROM majordomo_verified WHERE period = 'day') AS v USING (starts)
  UNION ALL
  SELECT 'week', starts::text, 0, '', NULL, 0, 0, agrees, starts < pruned_before, false, 0
  FROM (${compareWeeks(EVERYTHING, METADATA)}) AS weeks CROSS JOIN facts
  ORDER BY 1, 2`

/** Returns all days and weeks, in the order of time. */
export async function readPeriods(query: RunQuery): Promise<readonly Period[]> {
  const { rows } = await query<Period>({ text: OVERVIEW, timeoutMs: TIMEOUT_MS })
  return rows
}

/** Remembers days that were proven and have ended, and forgets those whose rollups were found to be wrong. */
export async function rememberDays(
  db: Database,
  { proven, wrong }: { readonly proven: readonly PeriodSummary[]; readonly wrong: readonly string[] },
): Promise<void> {
  try {
    await db.query({
      text: `WITH forgotten AS (DELETE FROM majordomo_verified WHERE period = 'day' AND starts = ANY ($2::date[]))
        INSERT INTO majordomo_verified (period, starts, requests, gaps, dropped, digest, verified_at)
        SELECT 'day', starts, requests, gaps, dropped, digest, now()
        FROM json_to_recordset($1::json) AS p(starts date, requests bigint, gaps bigint, dropped bigint, digest text)
        WHERE starts < (now() AT TIME ZONE 'UTC')::date
        ON CONFLICT (period, starts) DO UPDATE SET requests = excluded.requests, gaps = excluded.gaps,
          dropped = excluded.dropped, digest = excluded.digest, verified_at = excluded.verified_at`,
      values: [JSON.stringify(proven), wrong],
    })
  } catch (error) {
    // A standby, or a role that may only read, can verify as well. It has to read everything again the next time.
    if (!["25006", "42501"].includes(toErrorCode(error) ?? "")) throw error
  }
}
