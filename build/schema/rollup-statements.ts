interface RollupOptions {
  /** The query of the requests to count, in lines. */
  readonly rows: readonly string[]
  /** `signed` if the rows have a `sign`; the plain form is cheaper, and it runs for every batch. */
  readonly list: "counted" | "signed"
  /** Whether days that are already part of a week are added to their week too. */
  readonly weekly: boolean
}

/** The statements of a function that add requests to all rollup tables. Their lists are still placeholders. */
export function toRollupStatements({ rows, list, weekly }: RollupOptions): string {
  return `  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      {${list}}
    FROM (${rows.join("\n      ")}) AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      {counters})
    SELECT hour, provider, model,
      {totals}
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      {added}
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      {counters})
    SELECT hour, majordomo_api_key_id,
      {totals}
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      {added}
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    {counters})
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    {totals}
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    {added};

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        {${list}}
      FROM (${rows.join("\n        ")}) AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
    ), admitted AS (
      SELECT fresh.* FROM fresh LEFT JOIN llm_usage_metadata_values v USING (day, name)
      WHERE nth + coalesce(v.distinct_values, 0) <= 10000
    ), counted AS (
      INSERT INTO llm_usage_metadata_values AS v (day, name, distinct_values)
      SELECT day, name, count(*) FROM admitted GROUP BY 1, 2
      ON CONFLICT (name, day) DO UPDATE SET distinct_values = v.distinct_values + excluded.distinct_values
    ), placed AS (
      SELECT *, CASE WHEN f.nth IS NULL OR a.nth IS NOT NULL THEN value ELSE '(other)' END AS place
      FROM cells LEFT JOIN fresh f USING (day, name, value) LEFT JOIN admitted a USING (day, name, value)
    )${weekly ? WEEKLY : ""}
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      {counters})
    SELECT name, day, place,
      {totals}
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      {added};
  END IF;`
}

/** Not in majordomo_count_again, which rebuilds the weeks when all their days are there. */
const WEEKLY = `, weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        {counters})
      SELECT name, date_trunc('week', day)::date, place,
        {totals}
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        {added}
    )`
