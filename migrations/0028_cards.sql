-- 0028 cards
-- breaking: no
--
-- The price certificate and the usage object of a request are two thirds of its row, and rows repeat them but for a few
-- numbers. Texts with gaps for these numbers are stored once, as cards, and a row has the number of its card and what fills
-- the gaps. llm_requests_full has the certificate and the usage of every row as a whole. Rows that exist stay as they are,
-- and every program may go on writing rows with `price` and `usage`. A program that does not know cards sees neither the
-- certificate nor the usage of a row that has one, and cannot price it again.

-- Batches hold llm_requests before anything else, so that is what this migration waits for.
LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;

-- `price` and `usage` are JSON texts with gaps, `%1$s` and so on, as the function format takes them, and with ' in
-- place of ", which the JSON of a row would have to escape. A gap is filled with one of the row's `card_values`, or with an
-- amount: the value at a position of `quantities` times the number of `units` beside it.
CREATE TABLE llm_cards (
  id         bigint PRIMARY KEY,                      -- the first 64 bits of the SHA-256 of the other columns
  price      text,
  usage      text,
  quantities integer[] NOT NULL,
  units      numeric[] NOT NULL,                      -- USD per token or piece
  created_at timestamptz NOT NULL DEFAULT now()
);

-- The hashes of credentials, which rows repeat.
CREATE TABLE llm_credential_hashes (
  id   bigint PRIMARY KEY,                            -- the first 64 bits of the hash
  hash text NOT NULL
);

-- A row has either a card, or `price` and `usage` themselves.
ALTER TABLE llm_requests ADD COLUMN card bigint;
ALTER TABLE llm_requests ADD COLUMN provider_api_key_hash_id bigint;
ALTER TABLE llm_requests ADD COLUMN card_values text;
-- A program that does not know cards would price such a row again without its usage. This rejects the result.
ALTER TABLE llm_requests ADD CONSTRAINT llm_requests_card_or_whole
  CHECK (card IS NULL OR (price IS NULL AND usage IS NULL)) NOT VALID;

-- Fills the gaps of a card. NULL if the card is not known, or lacks the text.
CREATE FUNCTION majordomo_fill(template text, card_values text, quantities integer[], units numeric[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v text[] := string_to_array(card_values, ',');
BEGIN
  FOR i IN 1 .. cardinality(quantities) LOOP
    v := v || trim_scale(v[quantities[i]]::numeric * units[i])::text;
  END LOOP;
  RETURN format(replace(template, '''', '"'), VARIADIC v)::jsonb;
END $$;

-- Every request with its whole certificate, usage and hash. A column that is not selected costs nothing.
CREATE VIEW llm_requests_full AS
SELECT id, majordomo_api_key_id,
  coalesce(provider_api_key_hash, (SELECT h.hash FROM llm_credential_hashes h WHERE h.id = r.provider_api_key_hash_id)) AS provider_api_key_hash,
  provider_api_key_alias, provider, model, requested_model, request_path, request_method, requested_at, responded_at,
  response_time_ms, first_byte_ms, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
  reasoning_tokens, input_cost, output_cost, total_cost, cost_status,
  coalesce(price, (SELECT majordomo_fill(c.price, r.card_values, c.quantities, c.units) FROM llm_cards c WHERE c.id = r.card)) AS price,
  coalesce(usage, (SELECT majordomo_fill(c.usage, r.card_values, '{}', '{}') FROM llm_cards c WHERE c.id = r.card)) AS usage,
  usage_source, status_code, error_message, streamed, outcome, raw_metadata, indexed_metadata, request_body, response_body,
  s3_key, created_at, dialect, billing, transport, websocket_id, source, provider_request_id, usage_key
FROM llm_requests r;
