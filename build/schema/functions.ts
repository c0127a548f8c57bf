import { COUNTERS, type Counter } from "../../src/database/counters.ts"
import { LIMIT_FUNCTIONS, LIMITS_ADDED, LIMITS_CHANGED } from "./limit-statements.ts"
import { toRollupStatements } from "./rollup-statements.ts"
import { RUN_FUNCTIONS, RUNS_ADDED, RUNS_CHANGED } from "./run-statements.ts"
import { expand } from "./template.ts"

/** The functions whose text depends on the list of counters, as plain CREATE OR REPLACE statements. */
export function toCountingFunctions(counters: readonly Counter[] = COUNTERS): string {
  const counting = [COUNT_ADDED, COUNT_CHANGED, COUNT_AGAIN, COUNT_NAME]
  const templates = [...counting, ...RUN_FUNCTIONS, FOLD_DAYS, FOLD_AGAIN, LIMIT_FUNCTIONS]
  return templates.map((template) => expand(template, counters)).join("\n\n")
}

// jit = off: the planner takes transition tables to be large and would compile for 10 ms what runs in 1 ms.

const COUNT_ADDED = `-- Adds new requests to the rollup tables, to their API keys and to the metadata names that they carry.
CREATE OR REPLACE FUNCTION majordomo_count_added() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
${toRollupStatements({ rows: ["SELECT * FROM added WHERE outcome <> 'gap'"], list: "counted", weekly: true })}

${RUNS_ADDED}

${LIMITS_ADDED}

  UPDATE api_keys k SET request_count = k.request_count + u.requests, last_used_at = greatest(k.last_used_at, u.last_used_at)
  FROM (SELECT majordomo_api_key_id, count(*) AS requests, max(requested_at) AS last_used_at FROM added GROUP BY 1) AS u
  WHERE k.id = u.majordomo_api_key_id;

  -- Clients choose the names, so each key may have at most 1,000 of them.
  IF EXISTS (SELECT FROM added WHERE jsonb_typeof(raw_metadata) = 'object') THEN
    INSERT INTO llm_requests_metadata_keys AS m
      (majordomo_api_key_id, key_name, request_count, last_seen_at, is_active, activated_at)
    SELECT u.*, n.name IS NOT NULL, CASE WHEN n.name IS NOT NULL THEN now() END FROM (
      SELECT majordomo_api_key_id, left(name, 255) AS name, count(*) AS requests, max(requested_at) AS last_seen_at
      FROM (SELECT majordomo_api_key_id, requested_at,
              jsonb_object_keys(CASE WHEN jsonb_typeof(raw_metadata) = 'object' THEN raw_metadata END) AS name
            FROM added) AS names
      GROUP BY 1, 2) AS u
    JOIN api_keys k ON k.id = u.majordomo_api_key_id
    LEFT JOIN llm_usage_metadata_names n ON n.name = u.name AND n.every_key
    WHERE EXISTS (
        SELECT FROM llm_requests_metadata_keys o
        WHERE (o.majordomo_api_key_id, o.key_name) = (u.majordomo_api_key_id, u.name))
      OR (SELECT count(*) FROM llm_requests_metadata_keys o WHERE o.majordomo_api_key_id = u.majordomo_api_key_id) < 1000
    ON CONFLICT (majordomo_api_key_id, key_name) DO UPDATE
      SET request_count = m.request_count + excluded.request_count,
          last_seen_at = greatest(m.last_seen_at, excluded.last_seen_at);
  END IF;
  RETURN NULL;
END $$;`

const COUNT_CHANGED = `-- Replaces what changed requests (such as repriced ones) count for in the rollup tables.
CREATE OR REPLACE FUNCTION majordomo_count_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- A statement that changes many rows but no counted column (metadata activate, prune) turns this off.
  IF current_setting('majordomo.same_sums', true) = 'on' THEN RETURN NULL; END IF;
${toRollupStatements({
  rows: [
    "SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'",
    "UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap'",
  ],
  list: "signed",
  weekly: true,
})}

${RUNS_CHANGED}

${LIMITS_CHANGED}
  RETURN NULL;
END $$;`

const COUNT_AGAIN = `-- Rebuilds the rollup tables from the requests, from the day (UTC) of \`since\` on, for example after a restore without
-- triggers. Earlier days keep their totals, and so do days whose requests were pruned.
CREATE OR REPLACE FUNCTION majordomo_count_again(since timestamptz DEFAULT '-infinity') RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  first_day date := CASE WHEN since = '-infinity' THEN '-infinity'::date ELSE (since AT TIME ZONE 'UTC')::date END;
  start timestamptz := CASE WHEN since = '-infinity' THEN since ELSE date_trunc('day', since, 'UTC') END;
  first_weekly_day date := first_day;
  pruned timestamptz := (SELECT pruned_before FROM majordomo_schema);
BEGIN
  IF pruned > start THEN
    start := pruned;
    first_day := (pruned AT TIME ZONE 'UTC')::date;
  END IF;
  LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE; -- no request may come between DELETE and INSERT
  DELETE FROM llm_usage_hourly WHERE hour >= start;
  DELETE FROM llm_usage_hourly_keys WHERE hour >= start;
  DELETE FROM llm_usage_daily WHERE day >= first_day;
  DELETE FROM llm_usage_metadata WHERE day >= first_day;
  DELETE FROM llm_usage_metadata_values WHERE day >= first_day;
${toRollupStatements({
  rows: ["SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap'"],
  list: "counted",
  weekly: false,
})}
  PERFORM majordomo_count_runs(start, 'infinity');
  UPDATE majordomo_schema SET runs_since = least(runs_since, start) WHERE runs_since > start;
  PERFORM majordomo_fold_again(first_weekly_day);
  PERFORM majordomo_count_limit(id, coalesce(pruned, '-infinity')) FROM llm_limits WHERE measure <> 'concurrency';
END $$;`

const COUNT_NAME = `-- Rebuilds the totals of one metadata name on one day (UTC) from that day's requests, and returns their number. It reads
-- the requests before other writers have to wait. If some requests of that day changed in the meantime, it reads them once
-- more while the writers wait: each such change makes new row versions in llm_usage_daily, which \`before\` identifies.
CREATE OR REPLACE FUNCTION majordomo_count_name(wanted text, on_day date) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  totals json;
  before text;
  after text;
  counted bigint;
  stored integer;
BEGIN
  IF on_day::timestamp AT TIME ZONE 'UTC' < (SELECT pruned_before FROM majordomo_schema) THEN RETURN 0; END IF;
  FOR attempt IN 1..2 LOOP
    before := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    WITH cells AS (
      SELECT left(raw_metadata ->> wanted, 255) AS value,
        {counted}
      FROM llm_requests
      WHERE created_at >= on_day::timestamp AT TIME ZONE 'UTC' AND created_at < (on_day + 1)::timestamp AT TIME ZONE 'UTC'
        AND outcome <> 'gap' AND raw_metadata ->> wanted IS NOT NULL
      GROUP BY 1
    ), placed AS (
      SELECT *, CASE WHEN row_number() OVER (ORDER BY requests DESC, value) <= 10000 THEN value ELSE '(other)' END AS place
      FROM cells
    ), places AS (
      SELECT on_day AS day, wanted AS name, place AS value,
        {named_totals}
      FROM placed GROUP BY 3
    )
    SELECT json_agg(p) INTO totals FROM places p;
    PERFORM pg_advisory_xact_lock(7680, 2);
    after := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    EXIT WHEN after IS NOT DISTINCT FROM before;
  END LOOP;
  PERFORM majordomo_fold_days();
  DELETE FROM llm_usage_metadata WHERE (name, day) = (wanted, on_day);
  DELETE FROM llm_usage_metadata_values WHERE (name, day) = (wanted, on_day);
  WITH written AS (
    INSERT INTO llm_usage_metadata (name, day, value,
      {counters})
    SELECT name, day, value,
      {counters}
    FROM json_populate_recordset(NULL::llm_usage_metadata, totals)
    RETURNING value, requests
  )
  SELECT coalesce(sum(requests), 0), count(*) FILTER (WHERE value <> '(other)') INTO counted, stored FROM written;
  IF stored > 0 THEN
    INSERT INTO llm_usage_metadata_values (name, day, distinct_values) VALUES (wanted, on_day, stored);
  END IF;
  IF on_day < (SELECT folded_before FROM majordomo_schema) THEN
    PERFORM majordomo_fold_again(on_day, on_day + 1, wanted);
  END IF;
  RETURN counted;
END $$;`

const FOLD_DAYS = `-- Adds the days that ended since the last call to their weeks: with the first batch of a day, and before a day is counted
-- again. The caller holds pg_advisory_xact_lock(7680, 2).
CREATE OR REPLACE FUNCTION majordomo_fold_days() RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  since date := (SELECT coalesce(folded_before, '-infinity') FROM majordomo_schema);
  until date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
  IF since >= until THEN RETURN; END IF;
  INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
    {counters})
  SELECT name, date_trunc('week', day)::date, value,
    {totals}
  FROM llm_usage_metadata WHERE day >= since AND day < until GROUP BY 1, 2, 3
  ON CONFLICT (name, week, value) DO UPDATE SET
    {added};
  UPDATE majordomo_schema SET folded_before = until;
END $$;`

const FOLD_AGAIN = `-- Rebuilds the weeks that have a day from \`since\` up to, but not including, \`until\`, for one metadata name or for all.
CREATE OR REPLACE FUNCTION majordomo_fold_again(since date, until date DEFAULT 'infinity', wanted text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  first_week date := date_trunc('week', since);
  next_week date := CASE WHEN until = 'infinity' THEN until ELSE date_trunc('week', until - 1)::date + 7 END;
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 2);
  DELETE FROM llm_usage_metadata_weekly
  WHERE week >= first_week AND week < next_week AND (wanted IS NULL OR name = wanted);
  INSERT INTO llm_usage_metadata_weekly (name, week, value,
    {counters})
  SELECT name, date_trunc('week', day)::date, value,
    {totals}
  FROM llm_usage_metadata
  WHERE day >= first_week AND day < least(next_week, (SELECT folded_before FROM majordomo_schema))
    AND (wanted IS NULL OR name = wanted)
  GROUP BY 1, 2, 3;
END $$;`
