/**
 * Twenty models, the first of which are used far more often than the last ones, with the card of their certificates. A
 * request fills it with its prompt, completion, total, cached and uncached tokens.
 */
export const MODELS = `
CREATE TABLE IF NOT EXISTS bench_models AS
SELECT n, (ARRAY['openai', 'anthropic', 'gemini'])[1 + n % 3] AS provider, 'model-' || n || '-2026-05-01' AS model
FROM generate_series(0, 19) AS n;
INSERT INTO llm_credential_hashes VALUES (1, repeat('a1b2c3d4', 8)) ON CONFLICT DO NOTHING;
INSERT INTO llm_cards (id, price, usage, quantities, units)
SELECT n, replace(regexp_replace(jsonb_build_object('lines', lines)::text, '"quantity": "([^"]*)"', '"quantity": \\1', 'g'), '"', chr(39)),
  replace('{"prompt_tokens": %1$s, "completion_tokens": %2$s, "total_tokens": %3$s, "prompt_tokens_details": {"cached_tokens": %4$s}}', '"', chr(39)),
  '{5,4,2}', '{0.00000015,0.00000015,0.0000006}'
FROM generate_series(0, 19) AS n CROSS JOIN LATERAL (SELECT jsonb_agg(jsonb_build_object('side', side, 'bucket', bucket,
    'model', 'model-' || n, 'quantity', quantity, 'rate', rate, 'per', 'million', 'factor', '1', 'amount', amount,
    'source', 'llm-prices.com', 'date', '2026-11-01')) AS lines
  FROM (VALUES ('input', 'input', '%5$s', '0.15', '%6$s'), ('input', 'cacheRead', '%4$s', '0.15', '%7$s'),
    ('output', 'output', '%2$s', '0.6', '%8$s')) AS lines (side, bucket, quantity, rate, amount)) AS made
ON CONFLICT DO NOTHING`

/** Inserts part $1 of $3 of $2 rows over the last $4 days, with ids in the order of time. */
export const INSERT = `
INSERT INTO llm_requests (id, majordomo_api_key_id, provider_api_key_hash_id, provider, model, requested_model, request_path, request_method,
  requested_at, responded_at, response_time_ms, first_byte_ms, input_tokens, cached_tokens, cache_creation_tokens, output_tokens, reasoning_tokens,
  input_cost, output_cost, total_cost, cost_status, card, card_values, usage_source, status_code, error_message, streamed, outcome, raw_metadata, indexed_metadata, created_at)
SELECT
  (lpad(to_hex((extract(epoch FROM ended) * 1000)::bigint), 12, '0') || '7' || substr(md5(made.n::text || $1::text), 1, 19))::uuid,
  keys[1 + floor(50 * power(random(), 2))::int], 1, m.provider, m.model, m.model, '/v1/chat/completions', 'POST',
  ended - make_interval(secs => took / 1000), ended, took::int, (took / 4)::int, input, input / 3, 0, output, 0,
  input * 0.00000015, output * 0.0000006, CASE WHEN dice > 0.002 THEN input * 0.00000015 + output * 0.0000006 END,
  CASE WHEN dice > 0.02 THEN 'exact' WHEN dice > 0.002 THEN 'estimated' ELSE 'unpriced' END, m.n,
  concat_ws(',', input, output, input + output, input / 3, input - input / 3),
  'reported', CASE WHEN dice < 0.99 THEN 200 ELSE 429 END, CASE WHEN dice >= 0.99 THEN 'Rate limit reached for ' || m.model END, dice > 0.5, 'complete', metadata || run, metadata, ended
FROM (
  SELECT n, now() - make_interval(secs => $4::float8 * 86400 * (1 - (n + $1::float8 / $3) / $2)) AS ended,
    (random() * 8000)::int AS input, (random() * 800)::int AS output, random() AS dice,
    least(19, floor(20 * power(random(), 2)))::int AS model,
    -- Log-normal with a median of 1.6 s, which is how long answers usually take.
    1600 * exp(0.8 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) AS took,
    jsonb_build_object('User-Id', 'u' || floor(10000 * random())::int,
      'Feature', (ARRAY['chat', 'search', 'summary', 'agent', 'title', 'embed', 'review', 'translate'])[1 + floor(8 * random())::int]) AS metadata
  FROM generate_series(0, $2::int - 1) AS n
) AS made
-- Every agent request is of a run. Runs have about twenty requests, and several run at the same time.
CROSS JOIN LATERAL (SELECT CASE WHEN metadata ->> 'Feature' = 'agent' THEN
  jsonb_build_object('Trace-Id', 'run-' || $1::text || '-' || made.n / 160 - floor(10 * random())::int) ELSE '{}' END AS run) AS runs
JOIN bench_models m ON m.n = made.model
CROSS JOIN (SELECT array_agg(id) AS keys FROM api_keys) AS k`
