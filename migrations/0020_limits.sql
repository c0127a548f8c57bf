-- 0020 limits
-- breaking: no

-- Running batches hold llm_requests before anything else, so that is what this migration waits for.
LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;

-- How much of something requests may use in a window of time (src/core/limit.ts has the same with its meaning).
CREATE TABLE llm_limits (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name           text NOT NULL UNIQUE,
  measure        text NOT NULL CHECK (measure IN ('cost', 'requests', 'input_tokens', 'output_tokens', 'tokens', 'concurrency')),
  amount         numeric NOT NULL CHECK (amount >= 0 AND amount < 'Infinity'),
  window_unit    text NOT NULL CHECK (window_unit IN ('minute', 'hour', 'day', 'week', 'month', 'total')),
  -- A name that the database does not know raises an error here, and not in every batch.
  tz             text NOT NULL DEFAULT 'UTC' CHECK (date_trunc('day', 'epoch'::timestamptz, tz) IS NOT NULL),
  api_key_id     uuid,                                -- the filters: which requests count; NULL: all
  provider       text CHECK (provider = lower(provider)),
  model          text,                                -- the requested or the answering model; may end in *
  metadata       jsonb CHECK (jsonb_typeof(metadata) = 'object'), -- values by name; a value may end in *
  per            text,                                -- one budget for each value of: key, model, or a metadata name
  action         text NOT NULL DEFAULT 'block' CHECK (action IN ('block', 'warn')),
  notify_at      integer[] NOT NULL DEFAULT '{}',     -- percentages
  estimate       text NOT NULL DEFAULT 'expected' CHECK (estimate IN ('expected', 'maximum')),
  unpriced       text NOT NULL DEFAULT 'allow' CHECK (unpriced IN ('allow', 'block')),
  source         text NOT NULL DEFAULT 'database' CHECK (source IN ('database', 'config')),
  counted_since  timestamptz NOT NULL,                -- windows that begin before it are not counted; a trigger sets it
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now()
);

-- What the requests of a window have used: the sum of all requests that count for the limit, by the time when they ended.
CREATE TABLE llm_limit_usage (
  limit_id       uuid NOT NULL,
  value          text NOT NULL,                       -- of `per`; '' for a limit without it, and for requests without a value
  window_start   timestamptz NOT NULL,                -- 'epoch' for `total`
  requests       bigint NOT NULL DEFAULT 0,
  input_tokens   numeric NOT NULL DEFAULT 0,
  output_tokens  numeric NOT NULL DEFAULT 0,
  cost           numeric NOT NULL DEFAULT 0,          -- USD, without subscriptions
  notified       smallint NOT NULL DEFAULT 0,         -- the highest percentage of the limit that was notified
  PRIMARY KEY (limit_id, value, window_start),
  CONSTRAINT llm_limit_usage_are_numbers
    CHECK (abs(input_tokens) < 'Infinity' AND abs(output_tokens) < 'Infinity' AND abs(cost) < 'Infinity')
);
CREATE INDEX llm_limit_usage_window ON llm_limit_usage (limit_id, window_start);

-- What gateways may use without asking again. A lease does not end with its window: it counts in every window, because the
-- requests for which it was taken may end in the next one.
CREATE TABLE llm_limit_leases (
  limit_id       uuid NOT NULL,
  value          text NOT NULL,
  window_start   timestamptz NOT NULL,                -- the window of the last change
  gateway_id     uuid NOT NULL,                       -- one process
  slot           text NOT NULL,                       -- the directory of its journal, as in majordomo_gateways
  granted        numeric NOT NULL,
  in_use         numeric NOT NULL,                    -- the part for running requests and for rows that are not committed
  expires_at     timestamptz NOT NULL,
  PRIMARY KEY (limit_id, value, gateway_id),
  CONSTRAINT llm_limit_leases_are_numbers CHECK (abs(granted) < 'Infinity' AND abs(in_use) < 'Infinity')
);
CREATE INDEX llm_limit_leases_gateway ON llm_limit_leases (gateway_id);

-- The start of the window to which a time belongs.
CREATE FUNCTION majordomo_limit_window(unit text, at timestamptz, tz text) RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT CASE unit WHEN 'total' THEN 'epoch'::timestamptz ELSE date_trunc(unit, at, tz) END $$;

-- The time at which the window of a time ends; NULL for `total`.
CREATE FUNCTION majordomo_limit_window_end(unit text, at timestamptz, tz text) RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT CASE WHEN unit = 'total' THEN NULL
  WHEN unit IN ('minute', 'hour') THEN date_trunc(unit, at, tz) + ('1 ' || unit)::interval
  ELSE (date_trunc(unit, at AT TIME ZONE tz) + ('1 ' || unit)::interval) AT TIME ZONE tz END $$;

-- What a row of llm_limit_usage has used of a limit.
CREATE FUNCTION majordomo_limit_used(measure text, u llm_limit_usage) RETURNS numeric LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE measure WHEN 'cost' THEN u.cost WHEN 'requests' THEN u.requests WHEN 'input_tokens' THEN u.input_tokens
  WHEN 'output_tokens' THEN u.output_tokens WHEN 'tokens' THEN u.input_tokens + u.output_tokens ELSE 0 END $$;


-- ## Changes of limits
--
-- A change takes the locks of a batch, in the same order. A batch before it is counted by it, and a batch that waits for it
-- counts itself, so that each request counts once.

CREATE TRIGGER majordomo_locks_first
  BEFORE INSERT OR DELETE OR UPDATE OF measure, window_unit, tz, api_key_id, provider, model, metadata, per ON llm_limits
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_lock_rollups();

-- A limit is counted from its present window on. Clocks may differ by 15 minutes, so the window of that time ago counts too.
CREATE FUNCTION majordomo_start_limit() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    NEW.updated_at := now();
    IF (NEW.window_unit, NEW.tz) = (OLD.window_unit, OLD.tz) THEN RETURN NEW; END IF;
    NEW.counted_since := NULL;
  END IF;
  NEW.counted_since := coalesce(NEW.counted_since, CASE NEW.window_unit WHEN 'total' THEN '-infinity'
    ELSE majordomo_limit_window(NEW.window_unit, now() - interval '15 minutes', NEW.tz) END);
  RETURN NEW;
END $$;
CREATE TRIGGER majordomo_started
  BEFORE INSERT OR UPDATE OF name, measure, amount, window_unit, tz, api_key_id, provider, model, metadata, per, action, notify_at,
    estimate, unpriced, source ON llm_limits
  FOR EACH ROW EXECUTE FUNCTION majordomo_start_limit();

-- Counts the windows of a limit from `first` on again, from the requests. The caller holds pg_advisory_xact_lock(7680, 2).
-- What was notified stays so.
CREATE FUNCTION majordomo_count_limit(wanted uuid, first timestamptz, with_pruned boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
  WITH counted AS MATERIALIZED (
    SELECT * FROM majordomo_limit_requests(wanted, first, with_pruned)
  ), gone AS (
    DELETE FROM llm_limit_usage u WHERE limit_id = wanted AND window_start >= first
      AND NOT EXISTS (SELECT FROM counted c WHERE (c.value, c.window_start) = (u.value, u.window_start))
  )
  INSERT INTO llm_limit_usage (limit_id, value, window_start, requests, input_tokens, output_tokens, cost)
  SELECT wanted, * FROM counted
  ON CONFLICT (limit_id, value, window_start) DO UPDATE SET requests = excluded.requests,
    input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens, cost = excluded.cost;
END $$;

CREATE FUNCTION majordomo_drop_leases(wanted uuid) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 8);
  DELETE FROM llm_limit_leases WHERE limit_id = wanted;
END $$;

CREATE FUNCTION majordomo_changed_limit() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM llm_limit_usage WHERE limit_id = OLD.id;
    PERFORM majordomo_drop_leases(OLD.id);
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' AND (NEW.measure, NEW.amount, NEW.notify_at) IS DISTINCT FROM (OLD.measure, OLD.amount, OLD.notify_at) THEN
    UPDATE llm_limit_usage SET notified = 0 WHERE limit_id = NEW.id AND notified > 0;
  END IF;
  IF TG_OP = 'INSERT' OR
    (NEW.measure = 'concurrency', NEW.window_unit, NEW.tz, NEW.api_key_id, NEW.provider, NEW.model, NEW.metadata, NEW.per)
    IS DISTINCT FROM
    (OLD.measure = 'concurrency', OLD.window_unit, OLD.tz, OLD.api_key_id, OLD.provider, OLD.model, OLD.metadata, OLD.per) THEN
    DELETE FROM llm_limit_usage WHERE limit_id = NEW.id;
    -- Of the requests that are running, only leases know.
    IF NEW.measure <> 'concurrency' THEN PERFORM majordomo_count_limit(NEW.id, '-infinity', true); END IF;
  END IF;
  -- Leases are amounts of the measure, for groups of `per`.
  IF TG_OP = 'UPDATE' AND (NEW.measure, NEW.per) IS DISTINCT FROM (OLD.measure, OLD.per) THEN
    PERFORM majordomo_drop_leases(NEW.id);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER majordomo_limit_changed
  AFTER INSERT OR DELETE OR UPDATE OF measure, amount, notify_at, window_unit, tz, api_key_id, provider, model, metadata, per ON llm_limits
  FOR EACH ROW EXECUTE FUNCTION majordomo_changed_limit();

CREATE FUNCTION majordomo_tell_limits() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN TRUNCATE llm_limit_usage, llm_limit_leases; END IF;
  PERFORM pg_notify('majordomo_keys', 'limits');
  RETURN NULL;
END $$;
-- Without counted_since, so that trimming sends no notification.
CREATE TRIGGER majordomo_limits_changed
  AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF name, measure, amount, window_unit, tz, api_key_id, provider, model, metadata, per, action,
    notify_at, estimate, unpriced, source ON llm_limits
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_tell_limits();

-- Forgets windows of minutes and hours that began over 2 days ago, and others of over 400 days ago.
CREATE FUNCTION majordomo_trim_limits() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  -- A day of tolerance, so that writers wait for it once a day.
  IF NOT EXISTS (SELECT FROM llm_limits
    WHERE window_unit IN ('minute', 'hour') AND counted_since < now() - interval '3 days'
      OR window_unit IN ('day', 'week', 'month') AND counted_since < now() - interval '435 days') THEN
    RETURN;
  END IF;
  LOCK TABLE llm_requests IN ROW EXCLUSIVE MODE;
  PERFORM pg_advisory_xact_lock(7680, 2);
  UPDATE llm_limits SET counted_since = greatest(counted_since, majordomo_limit_window(window_unit,
    now() - CASE WHEN window_unit IN ('minute', 'hour') THEN interval '2 days' ELSE interval '400 days' END, tz))
  WHERE window_unit <> 'total';
  DELETE FROM llm_limit_usage u USING llm_limits l WHERE l.id = u.limit_id AND u.window_start < l.counted_since;
END $$;

-- Requests that were removed all at once take everything with them that was counted of them.
CREATE OR REPLACE FUNCTION majordomo_empty_sums() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  TRUNCATE llm_usage_hourly, llm_usage_hourly_keys, llm_usage_daily, llm_usage_metadata, llm_usage_metadata_weekly,
    llm_usage_metadata_values, llm_limit_usage;
  UPDATE majordomo_schema SET pruned_before = NULL;
  RETURN NULL;
END $$;


-- ## Leases
--
-- pg_advisory_xact_lock(7680, 8) lets one gateway at a time change leases, so that each statement after it sees what was
-- granted before. What was used only grows meanwhile, and what gateways return was committed before. No other advisory lock
-- is taken after it.

-- Changes the leases of a gateway, and returns their state. `at` is the time of the gateway, which decides the window. Each
-- item `{"limit", "value", "holding", "in_use", "wanted", "least"}` first sets the own lease to `holding`, of which `in_use` is
-- reserved or uncommitted. Then it adds up to `wanted`, or nothing if not even `least` is free. An item without a limit has
-- no row in the result.
CREATE FUNCTION majordomo_lease(gateway uuid, gateway_slot text, at timestamptz, items json)
RETURNS TABLE (limit_id uuid, value text, granted numeric, used numeric, leased numeric, idle numeric, amount numeric,
  window_start timestamptz, window_end timestamptz)
LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS $$
#variable_conflict use_column
DECLARE
  item record;
  l llm_limits;
  free numeric;
  added numeric;
  others numeric;
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 8);
  DELETE FROM llm_limit_leases WHERE expires_at <= clock_timestamp();
  FOR item IN SELECT * FROM json_to_recordset(items)
    AS i("limit" uuid, value text, holding numeric, in_use numeric, wanted numeric, least numeric) LOOP
    SELECT * INTO l FROM llm_limits WHERE id = item.limit;
    CONTINUE WHEN NOT FOUND;
    window_start := majordomo_limit_window(l.window_unit, at, l.tz);
    window_end := majordomo_limit_window_end(l.window_unit, at, l.tz);
    SELECT (SELECT coalesce(max(majordomo_limit_used(l.measure, u)), 0) FROM llm_limit_usage u
        WHERE u.limit_id = l.id AND u.value = item.value AND u.window_start >= majordomo_lease.window_start),
      coalesce(sum(s.granted), 0), coalesce(sum(greatest(s.granted - s.in_use, 0)), 0)
    INTO used, others, idle
    FROM llm_limit_leases s WHERE s.limit_id = l.id AND s.value = item.value AND s.gateway_id <> gateway;
    free := l.amount - used - others - item.holding;
    -- Near the limit, leases shrink to single requests. Amounts are whole nano-USD, or whole numbers.
    added := CASE WHEN free < item.least THEN 0
      ELSE least(item.wanted, greatest(item.least, trunc(free / 8, CASE l.measure WHEN 'cost' THEN 9 ELSE 0 END))) END;
    granted := item.holding + added;
    leased := others + granted;
    amount := l.amount;
    limit_id := l.id;
    value := item.value;
    IF granted > 0 THEN
      INSERT INTO llm_limit_leases AS s (limit_id, value, window_start, gateway_id, slot, granted, in_use, expires_at)
      VALUES (l.id, item.value, majordomo_lease.window_start, gateway, gateway_slot, majordomo_lease.granted, item.in_use,
        clock_timestamp() + interval '15 minutes')
      ON CONFLICT (limit_id, value, gateway_id) DO UPDATE SET window_start = excluded.window_start, slot = excluded.slot,
        granted = excluded.granted, in_use = excluded.in_use, expires_at = excluded.expires_at;
    ELSE
      DELETE FROM llm_limit_leases s WHERE (s.limit_id, s.value, s.gateway_id) = (l.id, item.value, gateway);
    END IF;
    IF item.least > 0 AND added = 0 AND idle > 0 THEN PERFORM pg_notify('majordomo_keys', 'limits-return'); END IF;
    RETURN NEXT;
  END LOOP;
END $$;

-- Extends the leases of a gateway and returns their number. Gateways call it every minute, so it also trims usage. A lease that has expired stays so, because its amount may have
-- been granted again.
CREATE FUNCTION majordomo_renew_leases(gateway uuid) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  renewed bigint;
BEGIN
  PERFORM majordomo_trim_limits();
  PERFORM pg_advisory_xact_lock(7680, 8);
  UPDATE llm_limit_leases SET expires_at = clock_timestamp() + interval '15 minutes'
  WHERE gateway_id = gateway AND expires_at > clock_timestamp();
  GET DIAGNOSTICS renewed = ROW_COUNT;
  RETURN renewed;
END $$;

-- Deletes the leases of earlier processes of a slot, after the rows of their journal were written. Returns their number.
CREATE FUNCTION majordomo_free_leases(of_slot text, except_gateway uuid) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  freed bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 8);
  DELETE FROM llm_limit_leases WHERE slot = of_slot AND gateway_id IS DISTINCT FROM except_gateway;
  GET DIAGNOSTICS freed = ROW_COUNT;
  RETURN freed;
END $$;

-- >>> counting functions: generated by `npm run schema`, see README.md

-- Adds new requests to the rollup tables, to their API keys and to the metadata names that they carry.
CREATE OR REPLACE FUNCTION majordomo_count_added() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
      coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
    FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
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
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
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
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
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
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
        subscription_without_value)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
        sum(subscription_without_value)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms,
        latencies = t.latencies + excluded.latencies,
        subscription_requests = t.subscription_requests + excluded.subscription_requests,
        subscription_value = t.subscription_value + excluded.subscription_value,
        subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
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
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;

  IF EXISTS (SELECT FROM llm_limits WHERE measure <> 'concurrency') THEN
    INSERT INTO llm_limit_usage AS t (limit_id, value, window_start, requests, input_tokens, output_tokens, cost)
    SELECT limit_id, value, window_start, count(*), sum(input_tokens), sum(output_tokens), coalesce(sum(cost), 0)
    FROM (
    SELECT l.id AS limit_id, l.counted_since,
      CASE WHEN l.per IS NULL THEN '' WHEN l.per = 'key' THEN coalesce(r.majordomo_api_key_id::text, '')
        WHEN l.per = 'model' THEN left(r.model, 255) ELSE coalesce(left(r.raw_metadata ->> l.per, 255), '') END AS value,
      majordomo_limit_window(l.window_unit, r.created_at, l.tz) AS window_start,
      r.input_tokens, r.output_tokens, CASE WHEN r.billing IS DISTINCT FROM 'subscription' THEN r.total_cost END AS cost
    FROM (SELECT * FROM llm_limits WHERE measure <> 'concurrency') AS l JOIN (SELECT * FROM added WHERE outcome NOT IN ('gap', 'rejected')) AS r ON (l.api_key_id IS NULL OR l.api_key_id = r.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = r.provider)
      AND (l.model IS NULL OR l.model IN (r.model, r.requested_model)
        OR right(l.model, 1) = '*'
          AND (starts_with(r.model, left(l.model, -1)) OR starts_with(r.requested_model, left(l.model, -1))))
      AND (l.metadata IS NULL OR NOT EXISTS (
        SELECT FROM jsonb_each_text(l.metadata) AS m
        WHERE CASE WHEN right(m.value, 1) = '*' THEN starts_with(r.raw_metadata ->> m.key, left(m.value, -1))
          ELSE r.raw_metadata ->> m.key = m.value END IS NOT TRUE))
    ) AS counted
    WHERE window_start >= counted_since GROUP BY 1, 2, 3
    ON CONFLICT (limit_id, value, window_start) DO UPDATE SET
      requests = t.requests + excluded.requests, input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens, cost = t.cost + excluded.cost;
  END IF;

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
END $$;

-- Replaces what changed requests (such as repriced ones) count for in the rollup tables.
CREATE OR REPLACE FUNCTION majordomo_count_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- A statement that changes many rows but no counted column (metadata activate, prune) turns this off.
  IF current_setting('majordomo.same_sums', true) = 'on' THEN RETURN NULL; END IF;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      coalesce(sum(sign), 0) AS requests,
      coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
      coalesce(sum(sign * input_tokens), 0) AS input_tokens, coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
      coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(sign * output_tokens), 0) AS output_tokens,
      coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(sign * input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(sign * output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(sign * total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription'), 0) AS without_cost,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
      coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(sign * majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      coalesce(sum(sign) FILTER (WHERE billing = 'subscription'), 0) AS subscription_requests,
      coalesce(sum(sign * total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing = 'subscription'), 0) AS subscription_without_value
    FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
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
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
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
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
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
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        coalesce(sum(sign), 0) AS requests,
        coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
        coalesce(sum(sign * input_tokens), 0) AS input_tokens,
        coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
        coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(sign * output_tokens), 0) AS output_tokens,
        coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(sign * input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(sign * output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(sign * total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription'), 0) AS without_cost,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
        coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(sign * majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        coalesce(sum(sign) FILTER (WHERE billing = 'subscription'), 0) AS subscription_requests,
        coalesce(sum(sign * total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing = 'subscription'), 0) AS subscription_without_value
      FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
        UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
        subscription_without_value)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
        sum(subscription_without_value)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms,
        latencies = t.latencies + excluded.latencies,
        subscription_requests = t.subscription_requests + excluded.subscription_requests,
        subscription_value = t.subscription_value + excluded.subscription_value,
        subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
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
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;

  IF EXISTS (SELECT FROM llm_limits WHERE measure <> 'concurrency') THEN
    INSERT INTO llm_limit_usage AS t (limit_id, value, window_start, requests, input_tokens, output_tokens, cost)
    SELECT * FROM (
      SELECT limit_id, value, window_start, sum(sign) AS requests, sum(sign * input_tokens) AS input_tokens,
        sum(sign * output_tokens) AS output_tokens, coalesce(sum(sign * cost), 0) AS cost
      FROM (
    SELECT l.id AS limit_id, l.counted_since,
      CASE WHEN l.per IS NULL THEN '' WHEN l.per = 'key' THEN coalesce(r.majordomo_api_key_id::text, '')
        WHEN l.per = 'model' THEN left(r.model, 255) ELSE coalesce(left(r.raw_metadata ->> l.per, 255), '') END AS value,
      majordomo_limit_window(l.window_unit, r.created_at, l.tz) AS window_start,
      r.sign, r.input_tokens, r.output_tokens, CASE WHEN r.billing IS DISTINCT FROM 'subscription' THEN r.total_cost END AS cost
    FROM (SELECT * FROM llm_limits WHERE measure <> 'concurrency') AS l JOIN (SELECT 1 AS sign, * FROM added WHERE outcome NOT IN ('gap', 'rejected')
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome NOT IN ('gap', 'rejected')) AS r ON (l.api_key_id IS NULL OR l.api_key_id = r.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = r.provider)
      AND (l.model IS NULL OR l.model IN (r.model, r.requested_model)
        OR right(l.model, 1) = '*'
          AND (starts_with(r.model, left(l.model, -1)) OR starts_with(r.requested_model, left(l.model, -1))))
      AND (l.metadata IS NULL OR NOT EXISTS (
        SELECT FROM jsonb_each_text(l.metadata) AS m
        WHERE CASE WHEN right(m.value, 1) = '*' THEN starts_with(r.raw_metadata ->> m.key, left(m.value, -1))
          ELSE r.raw_metadata ->> m.key = m.value END IS NOT TRUE))
      ) AS counted
      WHERE window_start >= counted_since GROUP BY 1, 2, 3) AS changes
    WHERE (requests, input_tokens, output_tokens, cost) <> (0, 0, 0, 0)
    ON CONFLICT (limit_id, value, window_start) DO UPDATE SET
      requests = t.requests + excluded.requests, input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens, cost = t.cost + excluded.cost;
  END IF;
  RETURN NULL;
END $$;

-- Rebuilds the rollup tables from the requests, from the day (UTC) of `since` on, for example after a restore without
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
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
      coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
    FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
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
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
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
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
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
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes
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
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
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
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;
  PERFORM majordomo_fold_again(first_weekly_day);
  PERFORM majordomo_count_limit(id, coalesce(pruned, '-infinity')) FROM llm_limits WHERE measure <> 'concurrency';
END $$;

-- Rebuilds the totals of one metadata name on one day (UTC) from that day's requests, and returns their number. It reads
-- the requests before other writers have to wait. If some requests of that day changed in the meantime, it reads them once
-- more while the writers wait: each such change makes new row versions in llm_usage_daily, which `before` identifies.
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
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM llm_requests
      WHERE created_at >= on_day::timestamp AT TIME ZONE 'UTC' AND created_at < (on_day + 1)::timestamp AT TIME ZONE 'UTC'
        AND outcome <> 'gap' AND raw_metadata ->> wanted IS NOT NULL
      GROUP BY 1
    ), placed AS (
      SELECT *, CASE WHEN row_number() OVER (ORDER BY requests DESC, value) <= 10000 THEN value ELSE '(other)' END AS place
      FROM cells
    ), places AS (
      SELECT on_day AS day, wanted AS name, place AS value,
        sum(requests) AS requests, sum(errors) AS errors, sum(input_tokens) AS input_tokens,
        sum(cached_tokens) AS cached_tokens, sum(cache_creation_tokens) AS cache_creation_tokens,
        sum(cache_creation_1h_tokens) AS cache_creation_1h_tokens, sum(output_tokens) AS output_tokens,
        sum(reasoning_tokens) AS reasoning_tokens, sum(input_cost) AS input_cost, sum(output_cost) AS output_cost,
        sum(total_cost) AS total_cost, sum(without_cost) AS without_cost, sum(exact) AS exact,
        sum(estimated) AS estimated, sum(unpriced) AS unpriced, sum(free) AS free, sum(inconsistent) AS inconsistent,
        sum(response_time_ms) AS response_time_ms, sum(latencies) AS latencies,
        sum(subscription_requests) AS subscription_requests, sum(subscription_value) AS subscription_value,
        sum(subscription_without_value) AS subscription_without_value
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
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value
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
END $$;

-- Adds the days that ended since the last call to their weeks: with the first batch of a day, and before a day is counted
-- again. The caller holds pg_advisory_xact_lock(7680, 2).
CREATE OR REPLACE FUNCTION majordomo_fold_days() RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  since date := (SELECT coalesce(folded_before, '-infinity') FROM majordomo_schema);
  until date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
  IF since >= until THEN RETURN; END IF;
  INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM llm_usage_metadata WHERE day >= since AND day < until GROUP BY 1, 2, 3
  ON CONFLICT (name, week, value) DO UPDATE SET
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
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  UPDATE majordomo_schema SET folded_before = until;
END $$;

-- Rebuilds the weeks that have a day from `since` up to, but not including, `until`, for one metadata name or for all.
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
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM llm_usage_metadata
  WHERE day >= first_week AND day < least(next_week, (SELECT folded_before FROM majordomo_schema))
    AND (wanted IS NULL OR name = wanted)
  GROUP BY 1, 2, 3;
END $$;

-- Returns what the requests that exist say about the use of a limit, for its windows from `first` on and not before
-- counted_since. `with_pruned`: a limit without an end also counts the totals of days whose requests were pruned, where
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
    SELECT l.id AS limit_id, l.counted_since,
      CASE WHEN l.per IS NULL THEN '' WHEN l.per = 'key' THEN coalesce(r.majordomo_api_key_id::text, '')
        WHEN l.per = 'model' THEN left(r.model, 255) ELSE coalesce(left(r.raw_metadata ->> l.per, 255), '') END AS value,
      majordomo_limit_window(l.window_unit, r.created_at, l.tz) AS window_start,
      r.input_tokens, r.output_tokens, CASE WHEN r.billing IS DISTINCT FROM 'subscription' THEN r.total_cost END AS cost
    FROM (SELECT wanted_limit.*) AS l JOIN (
      -- Two halves, of which one is empty, so that the requests of one key are found by their index.
      SELECT * FROM llm_requests WHERE outcome NOT IN ('gap', 'rejected') AND created_at >= rows_since AND wanted_limit.api_key_id IS NULL
      UNION ALL SELECT * FROM llm_requests WHERE outcome NOT IN ('gap', 'rejected') AND created_at >= rows_since
        AND majordomo_api_key_id = wanted_limit.api_key_id) AS r ON (l.api_key_id IS NULL OR l.api_key_id = r.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = r.provider)
      AND (l.model IS NULL OR l.model IN (r.model, r.requested_model)
        OR right(l.model, 1) = '*'
          AND (starts_with(r.model, left(l.model, -1)) OR starts_with(r.requested_model, left(l.model, -1))))
      AND (l.metadata IS NULL OR NOT EXISTS (
        SELECT FROM jsonb_each_text(l.metadata) AS m
        WHERE CASE WHEN right(m.value, 1) = '*' THEN starts_with(r.raw_metadata ->> m.key, left(m.value, -1))
          ELSE r.raw_metadata ->> m.key = m.value END IS NOT TRUE))
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
END $$;

-- <<< counting functions
