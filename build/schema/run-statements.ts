import { RUN_COUNTERS, RUN_ID, toRunKey } from "../../src/database/run-counters.ts"
import { expand } from "./template.ts"

/** The statement that adds the query `rows` of requests to the rollup of runs. `signed`: rows have a `sign`. */
function toRunStatement({ rows, list }: { readonly rows: string; readonly list: "counted" | "signed" }): string {
  return expand(
    `  INSERT INTO llm_usage_runs AS t (hour, run, long_id, started_at, ended_at,
    {counters})
  SELECT date_trunc('hour', created_at, 'UTC'),
    ${toRunKey("run_id")},
    max(run_id) FILTER (WHERE length(run_id) > 255), min(requested_at), max(created_at),
    {${list}}
  FROM (SELECT *, ${RUN_ID} AS run_id
    FROM (${rows}) AS counted) AS requests
  WHERE run_id IS NOT NULL GROUP BY 1, 2
  ON CONFLICT (hour, run) DO UPDATE SET
    started_at = least(t.started_at, excluded.started_at), ended_at = greatest(t.ended_at, excluded.ended_at),
    {added};`,
    RUN_COUNTERS,
  )
}

/** The statement that adds a batch to the rollup of runs. */
export const RUNS_ADDED = toRunStatement({ rows: "SELECT * FROM added WHERE outcome <> 'gap'", list: "counted" })

/** The columns of a request that decide to which row of the rollup it belongs, and when its run began and ended. */
const PLACE = `id, ${RUN_ID} AS run_id, requested_at, created_at, outcome = 'gap' AS is_gap`

/** The same for requests that changed. Sums can be corrected by the difference, but the first and the last request cannot. */
export const RUNS_CHANGED = `  IF EXISTS (SELECT FROM (
      (SELECT ${PLACE} FROM added EXCEPT SELECT ${PLACE} FROM removed)
      UNION ALL (SELECT ${PLACE} FROM removed EXCEPT SELECT ${PLACE} FROM added)) AS moved WHERE run_id IS NOT NULL) THEN
    PERFORM majordomo_count_runs(hour, hour + interval '1 hour') FROM (
      SELECT DISTINCT date_trunc('hour', created_at, 'UTC') AS hour
      FROM (SELECT * FROM added UNION ALL SELECT * FROM removed) AS changed WHERE ${RUN_ID} IS NOT NULL
      ORDER BY 1) AS hours;
  ELSE
${toRunStatement({
  rows: `SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap'`,
  list: "signed",
})}
  END IF;`

const COUNT_RUNS = `-- Rebuilds the rollup of runs from the requests, for the hours from \`since\` up to, but not including, \`until\`.
CREATE OR REPLACE FUNCTION majordomo_count_runs(since timestamptz, until timestamptz) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- Who waits for the second lock adds its requests afterwards; all others are seen here.
  LOCK TABLE llm_requests IN ROW EXCLUSIVE MODE;
  PERFORM pg_advisory_xact_lock(7680, 2);
  DELETE FROM llm_usage_runs WHERE hour >= since AND hour < until;
${toRunStatement({
  rows: "SELECT * FROM llm_requests WHERE created_at >= since AND created_at < until AND outcome <> 'gap'",
  list: "counted",
})}
END $$;`

const COUNT_PAST_RUNS = `-- Adds about \`most\` of the newest requests that the rollup of runs lacks, in whole hours. Returns whether there may be more.
-- Batches wait for it, so that it is called again and again with a small number.
CREATE OR REPLACE FUNCTION majordomo_count_past_runs(most integer) RETURNS boolean LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  until timestamptz;
  since timestamptz;
BEGIN
  LOCK TABLE llm_requests IN ROW EXCLUSIVE MODE;
  PERFORM pg_advisory_xact_lock(7680, 2);
  until := (SELECT runs_since FROM majordomo_schema);
  IF until = '-infinity' THEN RETURN false; END IF;
  since := coalesce((SELECT date_trunc('hour', created_at, 'UTC') FROM llm_requests
    WHERE ${RUN_ID} IS NOT NULL AND created_at < until
    ORDER BY created_at DESC OFFSET most LIMIT 1), '-infinity');
  PERFORM majordomo_count_runs(since, until);
  UPDATE majordomo_schema SET runs_since = since;
  RETURN since > '-infinity';
END $$;`

export const RUN_FUNCTIONS = [COUNT_RUNS, COUNT_PAST_RUNS]
