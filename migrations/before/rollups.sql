-- Runs on a database from before versions existed, after 0001. It fills the rollup tables that such a database did not
-- have, from the requests that are there. unversioned.sql has locked llm_requests, so no batch comes between.

DO $$
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 2);

  -- No rollups at all.
  IF EXISTS (SELECT FROM llm_requests) AND NOT EXISTS (SELECT FROM llm_usage_hourly) THEN
    PERFORM majordomo_count_again();
    INSERT INTO llm_usage_metadata_names (name, summed)
    SELECT DISTINCT key_name, true FROM llm_requests_metadata_keys WHERE is_active ON CONFLICT DO NOTHING;
  END IF;

  -- No hours of keys. Where a day has more than its requests (they were pruned), the difference goes into its first hour.
  IF EXISTS (SELECT FROM llm_usage_daily) AND NOT EXISTS (SELECT FROM llm_usage_hourly_keys) THEN
    INSERT INTO llm_usage_hourly_keys (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT date_trunc('hour', created_at, 'UTC'), coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000'),
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
      coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
    FROM llm_requests WHERE outcome <> 'gap' GROUP BY 1, 2;

    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT day::timestamp AT TIME ZONE 'UTC', majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM (
      SELECT day, majordomo_api_key_id,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms
      FROM llm_usage_daily
      UNION ALL
      SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id,
        -requests, -errors, -input_tokens, -cached_tokens, -cache_creation_tokens, -cache_creation_1h_tokens,
        -output_tokens, -reasoning_tokens, -input_cost, -output_cost, -total_cost, -without_cost, -exact, -estimated,
        -unpriced, -free, -inconsistent, -response_time_ms
      FROM llm_usage_hourly_keys
    ) AS rest
    GROUP BY 1, 2 HAVING sum(requests) > 0
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms;
  END IF;

  -- No weeks of metadata.
  IF (SELECT folded_before IS NULL FROM majordomo_schema) THEN
    PERFORM majordomo_fold_days();
  END IF;
END $$;
