-- 0031 imports
-- breaking: no
--
-- Requests that other products have recorded can be imported. They have `source` = 'import', which the column has had place for
-- since 0026, and `usage ->> 'import'` is the id of their import. Views with the columns of the Go gateway let statements run that
-- were written for it.

-- One row for each import. A run that adds no request has none.
CREATE TABLE llm_imports (
  id          uuid PRIMARY KEY,
  source      text NOT NULL,                          -- the product, such as litellm
  actor       text NOT NULL,                          -- who imported it
  started_at  timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,                            -- NULL: it runs, or was interrupted
  requests    bigint NOT NULL DEFAULT 0,              -- the requests that it has added
  unpriced    bigint NOT NULL DEFAULT 0,              -- of them, those without a cost
  total_cost  numeric(20,12) NOT NULL DEFAULT 0,      -- USD, of those with a cost
  first_at    timestamptz,                            -- when the first of its requests ended
  last_at     timestamptz,                            -- and the last
  undone_at   timestamptz,                            -- when its requests were removed; NULL: they were not, or not all
  CONSTRAINT llm_imports_are_numbers CHECK (abs(total_cost) < 'Infinity')
);


-- ## Views with the columns of the Go gateway, in its second version
-- Costs are not rounded, and a cost that is not known is NULL, where the Go gateway had 0. The Go gateway's input_cost has no
-- part for cached tokens and cache writes, and its names of metadata are in lower case. What it does not record here is NULL.
-- Columns that only a database of the Go gateway has are read by to_jsonb, because other databases lack them.

-- The amounts of the lines of a certificate whose buckets begin with a text.
CREATE FUNCTION majordomo_amount(price jsonb, bucket text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(sum((line ->> 'amount')::numeric), 0) FROM jsonb_array_elements(coalesce(price -> 'lines', '[]')) line
  WHERE starts_with(line ->> 'bucket', bucket)
$$;

-- A column that a statement does not select costs nothing.
CREATE VIEW llm_requests_compat AS
SELECT id, majordomo_api_key_id,
  coalesce(provider_api_key_hash, (SELECT h.hash FROM llm_credential_hashes h WHERE h.id = r.provider_api_key_hash_id)) AS provider_api_key_hash,
  provider_api_key_alias, provider, model, request_path, request_method, requested_at, responded_at, response_time_ms,
  least(input_tokens, 2147483647)::integer AS input_tokens,
  least(output_tokens, 2147483647)::integer AS output_tokens,
  least(cached_tokens, 2147483647)::integer AS cached_tokens,
  least(cache_creation_tokens, 2147483647)::integer AS cache_creation_tokens,
  least(greatest(cache_creation_tokens - cache_creation_1h_tokens, 0), 2147483647)::integer AS cache_creation_5m_tokens,
  least(cache_creation_1h_tokens, 2147483647)::integer AS cache_creation_1h_tokens,
  -- A row of the Go gateway has its costs of caches in columns, and any other row has them in its certificate.
  input_cost - coalesce((to_jsonb(r) ->> 'cached_cost')::numeric + (to_jsonb(r) ->> 'cache_creation_cost')::numeric,
    (SELECT majordomo_amount(f.price, 'cache') FROM llm_requests_full f WHERE f.id = r.id)) AS input_cost,
  CASE WHEN input_cost IS NOT NULL THEN coalesce((to_jsonb(r) ->> 'cached_cost')::numeric,
    (SELECT majordomo_amount(f.price, 'cacheRead') FROM llm_requests_full f WHERE f.id = r.id)) END AS cached_cost,
  CASE WHEN input_cost IS NOT NULL THEN coalesce((to_jsonb(r) ->> 'cache_creation_cost')::numeric,
    (SELECT majordomo_amount(f.price, 'cacheWrite') FROM llm_requests_full f WHERE f.id = r.id)) END AS cache_creation_cost,
  output_cost, total_cost, status_code, error_message,
  (SELECT jsonb_object_agg(lower(m.key), m.value) FROM jsonb_each(raw_metadata) m
    WHERE m.key NOT IN ('Trace-Id', 'Span-Path', 'Span-Name')) AS raw_metadata,
  (SELECT coalesce(jsonb_object_agg(lower(m.key), m.value), '{}') FROM jsonb_each(indexed_metadata) m) AS indexed_metadata,
  request_body, response_body, s3_key AS body_s3_key,
  cost_status <> 'unpriced' AS model_alias_found,
  coalesce((to_jsonb(r) ->> 'deprecated_model_redirected')::boolean, false) AS deprecated_model_redirected,
  to_jsonb(r) ->> 'original_model' AS original_model,
  raw_metadata ->> 'Trace-Id' AS trace_id,
  CASE WHEN raw_metadata ? 'Trace-Id' THEN coalesce(raw_metadata ->> 'Span-Path', '') END AS span_path,
  CASE WHEN raw_metadata ? 'Trace-Id' THEN coalesce(raw_metadata ->> 'Span-Name', model) END AS span_name,
  CASE WHEN raw_metadata ? 'Trace-Id' THEN id END AS span_id,
  (to_jsonb(r) ->> 'parent_span_id')::uuid AS parent_span_id,
  created_at,
  to_jsonb(r) ->> 'routed_provider' AS routed_provider,
  to_jsonb(r) ->> 'routing_reason' AS routing_reason,
  to_jsonb(r) ->> 'routing_original_model' AS routing_original_model
FROM llm_requests r
WHERE outcome <> 'gap';

CREATE VIEW api_keys_compat AS
SELECT id, key_hash, name, description, is_active, created_at, revoked_at, last_used_at, request_count, updated_at,
  'passthrough'::text AS deprecated_model_behavior
FROM api_keys;

CREATE VIEW llm_requests_metadata_keys_compat AS
SELECT majordomo_api_key_id, lower(key_name) AS key_name, display_name, key_type, is_required, is_active, activated_at, request_count,
  last_seen_at, NULL::bytea AS hll_state, approx_cardinality, NULL::timestamptz AS hll_updated_at, created_at
FROM llm_requests_metadata_keys;
