import type { Database, RunQuery } from "../_database.ts"
import { toErrorCode } from "../failures.ts"
import { dayOf, digestOfDays, digestOfWeeks, EVERYTHING, toMetadataHashes } from "./sql.ts"

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
  /** It was proven, and neither its rollups nor the number of its rows have changed since. */
  readonly isProven: boolean
  /** Its requests were pruned, so that its rollups can only be compared with each other. */
  readonly isPruned: boolean
  /** Some of its metadata values are counted as `(other)`. */
  readonly hasOther: boolean
  /** Seconds since the epoch; 0 if it was never proven. */
  readonly verifiedAt: number
}

const HASHES = "SELECT * FROM metadata"

const OVERVIEW = `
  WITH facts AS (
    SELECT coalesce(${dayOf("pruned_before")}, '-infinity') AS pruned_before FROM majordomo_schema
  ), requests AS (
    SELECT ${dayOf("created_at")} AS starts, count(*) AS requests FROM llm_requests GROUP BY 1
  ), metadata AS MATERIALIZED (${toMetadataHashes(EVERYTHING)}
  ), periods AS (
    SELECT 'day' AS period, starts, coalesce(requests, 0) AS requests, coalesce(digest, '0') AS digest
    FROM requests FULL JOIN (${digestOfDays(EVERYTHING, HASHES)}) AS days USING (starts)
    UNION ALL SELECT 'week', starts, 0, digest FROM (${digestOfWeeks(EVERYTHING, HASHES)}) AS weeks
  )
  SELECT period, starts::text, p.requests::float8 AS requests, p.digest, coalesce(v.gaps, 0)::float8 AS gaps,
    coalesce(v.dropped, 0)::float8 AS dropped, coalesce((p.requests, p.digest) = (v.requests, v.digest), false) AS "isProven",
    starts < pruned_before AS "isPruned", coalesce(has_other, false) AS "hasOther",
    coalesce(extract(epoch FROM v.verified_at), 0)::float8 AS "verifiedAt"
  FROM periods p CROSS JOIN facts LEFT JOIN majordomo_verified v USING (period, starts) 
  LEFT JOIN metadata m ON m.day = starts AND period = 'day'
  ORDER BY period, starts`

/** Returns all days and weeks, in the order of time. */
export async function readPeriods(query: RunQuery): Promise<readonly Period[]> {
  const { rows } = await query<Period>({ text: OVERVIEW, timeoutMs: TIMEOUT_MS })
  return rows
}

/** Remembers periods that were proven and have ended, and forgets those whose rollups were found to be wrong. */
export async function rememberPeriods(
  db: Database,
  period: Period["period"],
  { proven, wrong }: { readonly proven: readonly PeriodSummary[]; readonly wrong: readonly string[] },
): Promise<void> {
  try {
    await db.query({
      text: `WITH forgotten AS (DELETE FROM majordomo_verified WHERE period = $1 AND starts = ANY ($3::date[]))
        INSERT INTO majordomo_verified (period, starts, requests, gaps, dropped, digest, verified_at)
        SELECT $1, starts, requests, gaps, dropped, digest, now()
        FROM json_to_recordset($2::json) AS p(starts date, requests bigint, gaps bigint, dropped bigint, digest text)
        WHERE starts + CASE WHEN $1 = 'week' THEN 7 ELSE 1 END <= (now() AT TIME ZONE 'UTC')::date
        ON CONFLICT (period, starts) DO UPDATE SET requests = excluded.requests, gaps = excluded.gaps,
          dropped = excluded.dropped, digest = excluded.digest, verified_at = excluded.verified_at`,
      values: [period, JSON.stringify(proven), wrong],
    })
  } catch (error) {
    // A standby, or a role that may only read, can verify as well. It has to read everything again the next time.
    if (!["25006", "42501"].includes(toErrorCode(error) ?? "")) throw error
  }
}
