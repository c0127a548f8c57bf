-- 0008 numbers
-- breaking: no
--
-- NaN and Infinity enter no total and no cost. Requests have had this rule since version 6.

-- Batches hold llm_requests before anything else, so that is what this migration waits for.
LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;

-- The new cost of a repricing. The old one may be NaN: that is what a repair of such a cost records.
ALTER TABLE llm_request_repricings ADD CONSTRAINT llm_request_repricings_cost_is_number
  CHECK (new_input_cost <> 'NaN' AND new_output_cost <> 'NaN' AND new_total_cost <> 'NaN') NOT VALID;

-- A sum is a number if all its parts are. A table that contains NaN already gets no constraint, because it would reject
-- new requests that belong to the same row: `verify` finds it and `verify --repair` corrects it.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM llm_usage_hourly WHERE NOT abs(
    input_tokens + cached_tokens + cache_creation_tokens + cache_creation_1h_tokens + output_tokens + reasoning_tokens
    + input_cost + output_cost + total_cost + response_time_ms) < 'Infinity')
  THEN
    ALTER TABLE llm_usage_hourly ADD CONSTRAINT llm_usage_hourly_are_numbers CHECK (abs(
      input_tokens + cached_tokens + cache_creation_tokens + cache_creation_1h_tokens + output_tokens + reasoning_tokens
      + input_cost + output_cost + total_cost + response_time_ms) < 'Infinity') NOT VALID;
  END IF;

  IF NOT EXISTS (SELECT FROM llm_usage_hourly_keys WHERE NOT abs(
    input_tokens + cached_tokens + cache_creation_tokens + cache_creation_1h_tokens + output_tokens + reasoning_tokens
    + input_cost + output_cost + total_cost + response_time_ms) < 'Infinity')
  THEN
    ALTER TABLE llm_usage_hourly_keys ADD CONSTRAINT llm_usage_hourly_keys_are_numbers CHECK (abs(
      input_tokens + cached_tokens + cache_creation_tokens + cache_creation_1h_tokens + output_tokens + reasoning_tokens
      + input_cost + output_cost + total_cost + response_time_ms) < 'Infinity') NOT VALID;
  END IF;

  IF NOT EXISTS (SELECT FROM llm_usage_daily WHERE NOT abs(
    input_tokens + cached_tokens + cache_creation_tokens + cache_creation_1h_tokens + output_tokens + reasoning_tokens
    + input_cost + output_cost + total_cost + response_time_ms) < 'Infinity')
  THEN
    ALTER TABLE llm_usage_daily ADD CONSTRAINT llm_usage_daily_are_numbers CHECK (abs(
      input_tokens + cached_tokens + cache_creation_tokens + cache_creation_1h_tokens + output_tokens + reasoning_tokens
      + input_cost + output_cost + total_cost + response_time_ms) < 'Infinity') NOT VALID;
  END IF;

  IF NOT EXISTS (SELECT FROM llm_usage_metadata WHERE NOT abs(
    input_tokens + cached_tokens + cache_creation_tokens + cache_creation_1h_tokens + output_tokens + reasoning_tokens
    + input_cost + output_cost + total_cost + response_time_ms) < 'Infinity')
  THEN
    ALTER TABLE llm_usage_metadata ADD CONSTRAINT llm_usage_metadata_are_numbers CHECK (abs(
      input_tokens + cached_tokens + cache_creation_tokens + cache_creation_1h_tokens + output_tokens + reasoning_tokens
      + input_cost + output_cost + total_cost + response_time_ms) < 'Infinity') NOT VALID;
  END IF;

  IF NOT EXISTS (SELECT FROM llm_usage_metadata_weekly WHERE NOT abs(
    input_tokens + cached_tokens + cache_creation_tokens + cache_creation_1h_tokens + output_tokens + reasoning_tokens
    + input_cost + output_cost + total_cost + response_time_ms) < 'Infinity')
  THEN
    ALTER TABLE llm_usage_metadata_weekly ADD CONSTRAINT llm_usage_metadata_weekly_are_numbers CHECK (abs(
      input_tokens + cached_tokens + cache_creation_tokens + cache_creation_1h_tokens + output_tokens + reasoning_tokens
      + input_cost + output_cost + total_cost + response_time_ms) < 'Infinity') NOT VALID;
  END IF;
END $$;
