/** Whether a request `r` counts for a limit `l`. src/limits decides the same for requests that are running. */
const MATCHES = `(l.api_key_id IS NULL OR l.api_key_id = r.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = r.provider)
      AND (l.model IS NULL OR l.model IN (r.model, r.requested_model)
        OR right(l.model, 1) = '*'
          AND (starts_with(r.model, left(l.model, -1)) OR starts_with(r.requested_model, left(l.model, -1))))
      AND (l.metadata IS NULL OR NOT EXISTS (
        SELECT FROM jsonb_each_text(l.metadata) AS m
        WHERE CASE WHEN right(m.value, 1) = '*' THEN starts_with(r.raw_metadata ->> m.key, left(m.value, -1))
          ELSE r.raw_metadata ->> m.key = m.value END IS NOT TRUE))`

/** The group of a limit to which a request belongs. */
const VALUE = `CASE WHEN l.per IS NULL THEN '' WHEN l.per = 'key' THEN coalesce(r.majordomo_api_key_id::text, '')
        WHEN l.per = 'model' THEN left(r.model, 255) ELSE coalesce(left(r.raw_metadata ->> l.per, 255), '') END`

const COUNTS = "outcome NOT IN ('gap', 'rejected')"
const IS_BILLED = "billing IS DISTINCT FROM 'subscription'"

/** Requests that run at the same time are counted by leases only. */
const COUNTED = "llm_limits WHERE measure <> 'concurrency'"

const ADD_TO_USAGE = `ON CONFLICT (limit_id, value, window_start) DO UPDATE SET
      requests = t.requests + excluded.requests, input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens, cost = t.cost + excluded.cost;`

/** The requests of the query \`rows\` that count, each with the limit \`l\`, its group and its window. */
function toCountedRequests(limits: string, rows: string, sign = ""): string {
  return `SELECT l.id AS limit_id, l.counted_since,
      ${VALUE} AS value,
      majordomo_limit_window(l.window_unit, r.created_at, l.tz) AS window_start,
      ${sign}r.input_tokens, r.output_tokens, CASE WHEN r.${IS_BILLED} THEN r.total_cost END AS cost
    FROM ${limits} AS l JOIN (${rows}) AS r ON ${MATCHES}`
}

/** The statement that adds a batch to what limits have used. It costs one look at an empty table while there is no limit. */
export const LIMITS_ADDED = `  IF EXISTS (SELECT FROM ${COUNTED}) THEN
    INSERT INTO llm_limit_usage AS t (limit_id, value, window_start, requests, input_tokens, output_tokens, cost)
    SELECT limit_id, value, window_start, count(*), sum(input_tokens), sum(output_tokens), coalesce(sum(cost), 0)
    FROM (
    ${toCountedRequests(`(SELECT * FROM ${COUNTED})`, `SELECT * FROM added WHERE ${COUNTS}`)}
    ) AS counted
    WHERE window_start >= counted_since GROUP BY 1, 2, 3
    ${ADD_TO_USAGE}
  END IF;`

/** The same for requests that changed. It changes nothing if what limits count has not changed. */
export const LIMITS_CHANGED = `  IF EXISTS (SELECT FROM ${COUNTED}) THEN
    INSERT INTO llm_limit_usage AS t (limit_id, value, window_start, requests, input_tokens, output_tokens, cost)
    SELECT * FROM (
      SELECT limit_id, value, window_start, sum(sign) AS requests, sum(sign * input_tokens) AS input_tokens,
        sum(sign * output_tokens) AS output_tokens, coalesce(sum(sign * cost), 0) AS cost
      FROM (
    ${toCountedRequests(
      `(SELECT * FROM ${COUNTED})`,
      `SELECT 1 AS sign, * FROM added WHERE ${COUNTS}
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE ${COUNTS}`,
      "r.sign, ",
    )}
      ) AS counted
      WHERE window_start >= counted_since GROUP BY 1, 2, 3) AS changes
    WHERE (requests, input_tokens, output_tokens, cost) <> (0, 0, 0, 0)
    ${ADD_TO_USAGE}
  END IF;`

export const LIMIT_FUNCTIONS = `-- Returns what the requests that exist say about the use of a limit, for its windows from \`first\` on and not before
-- counted_since. \`with_pruned\`: a limit without an end also counts the totals of days whose requests were pruned, where
-- they can tell its requests apart: they know the key, the provider and the model that answered, and no metadata. It is
-- one statement for the snapshot, because a STABLE function sees that of its caller.
CREATE OR REPLACE FUNCTION majordomo_limit_requests(wanted uuid, first timestamptz, with_pruned boolean)
RETURNS TABLE (value text, window_start timestamptz, requests bigint, input_tokens numeric, output_tokens numeric, cost numeric)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off AS $$
#variable_conflict use_column
DECLARE
  wanted_limit llm_limits := (SELECT l FROM llm_limits l WHERE l.id = wanted);
  since timestamptz := greatest(first, wanted_limit.counted_since);
  -- A window of a time zone in which midnight comes twice begins with the second one, after its first requests.
  rows_since timestamptz := CASE WHEN wanted_limit.window_unit <> 'total' THEN since - interval '2 hours' ELSE '-infinity' END;
  pruned timestamptz;
BEGIN
  IF with_pruned AND wanted_limit.window_unit = 'total' AND wanted_limit.metadata IS NULL
    AND coalesce(wanted_limit.per, 'key') IN ('key', 'model') THEN
    pruned := (SELECT pruned_before FROM majordomo_schema);
    rows_since := coalesce(pruned, '-infinity');
  END IF;
  RETURN QUERY
  SELECT u.value, u.window_start, sum(u.requests)::bigint, sum(u.input_tokens), sum(u.output_tokens), coalesce(sum(u.cost), 0)
  FROM (
    SELECT value, window_start, 1 AS requests, input_tokens, output_tokens, cost FROM (
    ${toCountedRequests(
      "(SELECT wanted_limit.*)",
      `
      -- Two halves, of which one is empty, so that the requests of one key are found by their index.
      SELECT * FROM llm_requests WHERE ${COUNTS} AND created_at >= rows_since AND wanted_limit.api_key_id IS NULL
      UNION ALL SELECT * FROM llm_requests WHERE ${COUNTS} AND created_at >= rows_since
        AND majordomo_api_key_id = wanted_limit.api_key_id`,
    )}
    ) AS counted
    UNION ALL
    SELECT CASE l.per WHEN 'key' THEN coalesce(nullif(d.majordomo_api_key_id, '00000000-0000-0000-0000-000000000000')::text, '')
        WHEN 'model' THEN d.model ELSE '' END,
      'epoch', d.requests, d.input_tokens, d.output_tokens, d.total_cost
    FROM (SELECT wanted_limit.*) AS l JOIN llm_usage_daily d ON d.day < (pruned AT TIME ZONE 'UTC')::date
      AND (l.api_key_id IS NULL OR l.api_key_id = d.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = d.provider)
      AND (l.model IS NULL OR l.model = d.model OR right(l.model, 1) = '*' AND starts_with(d.model, left(l.model, -1)))
  ) AS u
  WHERE u.window_start >= since GROUP BY 1, 2;
END $$;`
