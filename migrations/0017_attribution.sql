-- 0017 attribution
-- breaking: no

-- The metadata that a key adds to its requests, or requires of them: values by name for requests that have none, values by
-- name that replace the client's, and the names without which a request is rejected. NULL: there is none.
ALTER TABLE api_keys
  ADD COLUMN default_metadata jsonb CONSTRAINT api_keys_default_metadata CHECK (jsonb_typeof(default_metadata) = 'object'),
  ADD COLUMN locked_metadata jsonb CONSTRAINT api_keys_locked_metadata CHECK (jsonb_typeof(locked_metadata) = 'object'),
  ADD COLUMN required_metadata text[];

-- Gateways that have the key in memory read it again.
CREATE TRIGGER majordomo_key_metadata_changed
  AFTER UPDATE OF default_metadata, locked_metadata, required_metadata ON api_keys
  FOR EACH ROW EXECUTE FUNCTION majordomo_tell_key();

-- ## Requests by program
--
-- Every request names its program from now on, so that reports by it are fast without `metadata activate`. The totals are
-- complete if no request has carried the name yet: names that requests carried are in llm_requests_metadata_keys, unless
-- their key was deleted or has too many names. Otherwise reports read the requests until somebody runs `metadata activate`.
-- User-Id stays inactive: with many users, its totals would nearly double the time in which rows are written.
LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO llm_usage_metadata_names (name, every_key, summed, indexed)
SELECT 'Client', true, is_new, is_new FROM (
  SELECT NOT EXISTS (SELECT FROM llm_requests_metadata_keys WHERE key_name = 'Client')
    AND NOT EXISTS (SELECT FROM llm_requests_metadata_keys GROUP BY majordomo_api_key_id HAVING count(*) >= 1000)
    AND NOT EXISTS (SELECT FROM llm_usage_daily d WHERE NOT EXISTS (SELECT FROM api_keys k WHERE k.id = d.majordomo_api_key_id))
    AS is_new
) AS found
ON CONFLICT (name) DO NOTHING;

-- ## Runs
--
-- The requests of a run have the same trace, or the same session if they have no trace. One index finds the requests of a
-- run. Its text is limited, because an index limits its entries. The other one finds the requests of a period that have a run.
CREATE INDEX idx_llm_requests_run ON llm_requests
  (left(coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')), 255))
  WHERE coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) IS NOT NULL;
CREATE INDEX idx_llm_requests_runs_created_at ON llm_requests (created_at)
  WHERE coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) IS NOT NULL;
