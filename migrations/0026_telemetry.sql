-- 0026 telemetry
-- breaking: no
--
-- Usage that coding agents report by OpenTelemetry, because it did not pass through a gateway. What did pass through one
-- must not be counted twice, whichever arrives first, and at whichever gateway. A program that does not know the columns
-- writes requests without them, and a report on such a request is then counted beside it.

-- Batches hold llm_requests before anything else, so that is what this migration waits for.
LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;

-- 'telemetry': the client reported the request. NULL: a gateway relayed it, which holds for all rows from before.
ALTER TABLE llm_requests ADD COLUMN source text;
-- The id that the provider gave to the request, as its answer or the report says. Gateways store it while they receive
-- telemetry.
ALTER TABLE llm_requests ADD COLUMN provider_request_id text;
-- The session and the tokens of the request, for reports without that id.
ALTER TABLE llm_requests ADD COLUMN usage_key text;

CREATE INDEX idx_llm_requests_provider_request ON llm_requests (provider_request_id) WHERE provider_request_id IS NOT NULL;
CREATE INDEX idx_llm_requests_usage_key ON llm_requests (usage_key) WHERE usage_key IS NOT NULL;

-- Whether a relayed request is the one of a report: by the provider's id, or by session and tokens if one lacks the id.
CREATE FUNCTION majordomo_is_relayed(request_id text, key text) RETURNS boolean LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  RETURN EXISTS (SELECT FROM llm_requests r WHERE r.provider_request_id = request_id AND r.source IS NULL)
    OR EXISTS (SELECT FROM llm_requests r WHERE r.usage_key = key AND r.source IS NULL
      AND (request_id IS NULL OR r.provider_request_id IS NULL));
END $$;

-- The common case, in which the relayed request is stored first: its report leaves no trace.
CREATE FUNCTION majordomo_skip_relayed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  RETURN CASE WHEN majordomo_is_relayed(NEW.provider_request_id, NEW.usage_key) THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER majordomo_skip_relayed BEFORE INSERT ON llm_requests
  FOR EACH ROW WHEN (NEW.source = 'telemetry') EXECUTE FUNCTION majordomo_skip_relayed();

-- All other cases: the report was stored first, or both are stored at the same moment. This trigger runs after
-- majordomo_added, which holds pg_advisory_xact_lock(7680, 2), so of two batches the later one sees the earlier one.
-- It takes reports out of all totals, and then deletes them.
CREATE FUNCTION majordomo_drop_reports() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  request_ids text[];
  keys text[];
  repeated uuid[];
BEGIN
  IF NOT EXISTS (SELECT FROM added WHERE provider_request_id IS NOT NULL OR usage_key IS NOT NULL) THEN RETURN NULL; END IF;
  -- Arrays, so that the indexes are used however many rows a batch has.
  request_ids := ARRAY (SELECT provider_request_id FROM added WHERE source IS NULL AND provider_request_id IS NOT NULL);
  keys := ARRAY (SELECT usage_key FROM added WHERE source IS NULL AND usage_key IS NOT NULL);
  repeated := ARRAY (
    SELECT id FROM llm_requests WHERE provider_request_id = ANY (request_ids) AND source = 'telemetry'
    UNION
    SELECT t.id FROM llm_requests t WHERE t.usage_key = ANY (keys) AND t.source = 'telemetry'
      AND majordomo_is_relayed(t.provider_request_id, t.usage_key)
    UNION
    SELECT id FROM added WHERE source = 'telemetry' AND majordomo_is_relayed(provider_request_id, usage_key));
  IF repeated = '{}' THEN RETURN NULL; END IF;
  UPDATE llm_requests SET outcome = 'gap' WHERE id = ANY (repeated);
  DELETE FROM llm_requests WHERE id = ANY (repeated);
  RETURN NULL;
END $$;
CREATE TRIGGER majordomo_drop_reports AFTER INSERT ON llm_requests
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION majordomo_drop_reports();
