-- 0011 pruned_repricings
-- breaking: no

-- The old costs of a request are its history, so they stay while the request does. When it was pruned, `prune` deletes them.
CREATE FUNCTION majordomo_only_pruned() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF EXISTS (SELECT FROM removed JOIN llm_requests r ON r.id = removed.request_id) THEN
    RAISE EXCEPTION '% only takes new rows: the request still exists', TG_TABLE_NAME;
  END IF;
  RETURN NULL;
END $$;

DROP TRIGGER majordomo_only_add ON llm_request_repricings;
CREATE TRIGGER majordomo_only_add BEFORE UPDATE OR TRUNCATE ON llm_request_repricings
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_only_add();
CREATE TRIGGER majordomo_only_pruned AFTER DELETE ON llm_request_repricings
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION majordomo_only_pruned();
