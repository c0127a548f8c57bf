import type { Database, RunQuery } from "../_database.ts"
import { readIfMigrated } from "../failures.ts"
import type { Difference } from "./differences.ts"
import { TIMEOUT_MS } from "./periods.ts"

export const LIMIT_USAGE = "llm_limit_usage"

interface VerifiedLimits {
  /** The number of limits whose usage was compared with the requests. */
  readonly compared: number
  readonly differences: readonly Difference[]
}

/**
 * Compares what limits have used with the requests: the windows of the last 40 days, or all that are counted. A window whose
 * requests were pruned in part cannot be compared.
 */
export async function compareLimits(db: Database, { all }: { readonly all: boolean }): Promise<VerifiedLimits> {
  const limits = await readIfMigrated(async () => (await db.query<{ id: string }>(COUNTED)).rows)
  const differences: Difference[] = []
  for (const { id } of limits) {
    const values = [id, all ? "-infinity" : new Date(Date.now() - RECENT_MS).toISOString()]
    const { rows } = await db.query<Difference>({ text: COMPARE, values, timeoutMs: TIMEOUT_MS })
    differences.push(...rows)
  }
  return { compared: limits.length, differences }
}

/** Counts a limit again. The caller lets no request change meanwhile. */
export async function countLimitAgain(query: RunQuery, name: string): Promise<void> {
  const text = `SELECT majordomo_count_limit(id, coalesce(pruned_before, '-infinity'))
    FROM llm_limits CROSS JOIN majordomo_schema WHERE name = $1`
  await query({ text, values: [name], timeoutMs: TIMEOUT_MS })
}

const RECENT_MS = 40 * 86_400_000
/** Requests that run at the same time are in no table. */
const COUNTED = "SELECT id FROM llm_limits WHERE measure <> 'concurrency' ORDER BY name"

const MEASURES = ["requests", "input_tokens", "output_tokens", "cost"]
const differs = (name: string) => `coalesce(a.${name}, 0) - coalesce(b.${name}, 0) <> 0`

/** One statement, which sees one snapshot. A window without an end is compared with all requests, of any age. */
const COMPARE = `
  WITH compared AS (
    SELECT l.id, l.name, l.window_unit, greatest(l.counted_since, s.pruned_before,
      CASE WHEN l.window_unit <> 'total' THEN $2::timestamptz END) AS first
    FROM llm_limits l CROSS JOIN majordomo_schema s WHERE l.id = $1
  ), a AS (
    SELECT r.* FROM compared CROSS JOIN LATERAL majordomo_limit_requests(id, first, false) AS r
  ), b AS (
    SELECT u.* FROM ${LIMIT_USAGE} u JOIN compared ON limit_id = id AND window_start >= first
  )
  SELECT '${LIMIT_USAGE}' AS "table", name, false AS "isPruned",
    (CASE window_unit WHEN 'total' THEN now() ELSE window_start END AT TIME ZONE 'UTC')::date::text AS day,
    CASE window_unit WHEN 'total' THEN 'total' ELSE to_char(window_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"') END AS period,
    array_remove(ARRAY[${MEASURES.map((name) => `CASE WHEN bool_or(${differs(name)}) THEN '${name}' END`).join(", ")}], NULL) AS counters
  FROM compared CROSS JOIN (a FULL JOIN b USING (value, window_start))
  WHERE ${MEASURES.map(differs).join(" OR ")}
  GROUP BY name, window_unit, window_start ORDER BY window_start`
