import type { Database } from "../_database.ts"
import { toCounted } from "../counters.ts"
import { RUN_COUNTERS, RUN_ID, RUN_ROLLUP, toRunKey } from "../run-counters.ts"
import type { Difference } from "./differences.ts"
import { TIMEOUT_MS } from "./periods.ts"
import { dayOf } from "./sql.ts"

/** Compares the rollup of runs with the requests of the days from `from` to before `until`, in one snapshot. */
export async function compareRuns(db: Database, from: string, until: string): Promise<readonly Difference[]> {
  return db.transaction(async (query) => {
    await query("SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true)")
    return (await query<Difference>({ text: COMPARE, values: [from, until], timeoutMs: TIMEOUT_MS })).rows
  })
}

/** True if a counter of `a` and `b` differs, or is NaN in one of them: x - x is 0 only for numbers. */
const DIFFERENCES = [
  ...RUN_COUNTERS.map(({ name }) => [name, `coalesce(a.${name}, 0) - coalesce(b.${name}, 0) <> 0`] as const),
  ...["long_id", "started_at", "ended_at"].map((name) => [name, `a.${name} IS DISTINCT FROM b.${name}`] as const),
]
const inHours = (column: string) =>
  `${column} >= (SELECT since FROM bounds) AND ${column} < $2::date::timestamp AT TIME ZONE 'UTC'`

/** Hours that are not counted yet, or whose requests were pruned, are left out: reports do not read them. */
const COMPARE = `
  WITH bounds AS (
    SELECT greatest($1::date::timestamp AT TIME ZONE 'UTC', runs_since, pruned_before) AS since FROM majordomo_schema
  ), a AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour, ${toRunKey("run_id")} AS run,
      max(run_id) FILTER (WHERE length(run_id) > 255) AS long_id, min(requested_at) AS started_at, max(created_at) AS ended_at,
      ${RUN_COUNTERS.map(toCounted).join(", ")}
    FROM (SELECT *, ${RUN_ID} AS run_id FROM llm_requests WHERE ${inHours("created_at")} AND outcome <> 'gap') AS requests
    WHERE run_id IS NOT NULL GROUP BY 1, 2
  ), b AS (
    SELECT * FROM ${RUN_ROLLUP} WHERE ${inHours("hour")}
  )
  SELECT '${RUN_ROLLUP}' AS "table", ${dayOf("hour")}::text AS day, NULL::text AS name, false AS "isPruned",
    to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"') AS period,
    array_remove(ARRAY[${DIFFERENCES.map(([name, differs]) => `CASE WHEN bool_or(${differs}) THEN '${name}' END`).join(", ")}], NULL) AS counters
  FROM a FULL JOIN b USING (hour, run)
  WHERE ${DIFFERENCES.map(([, differs]) => differs).join(" OR ")}
  GROUP BY hour ORDER BY hour`
