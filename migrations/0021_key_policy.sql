-- 0021 key_policy
-- breaking: no

-- What a key may be used for, and until when. NULL: without limit. A pattern of a model ends in `*`, or is the whole name.
--
-- After a rotation, the previous secret works until previous_key_until; NULL: it does not. Its hash is kept so that a
-- rotation whose new secret nobody saw can be undone. Older programs accept the new secret only.
ALTER TABLE api_keys
  ADD COLUMN expires_at timestamptz CONSTRAINT api_keys_expires_at CHECK (isfinite(expires_at)),
  ADD COLUMN allowed_models text[],
  ADD COLUMN allowed_providers text[],
  ADD COLUMN previous_key_hash text,
  ADD COLUMN previous_key_until timestamptz CONSTRAINT api_keys_previous_key_until CHECK (isfinite(previous_key_until));
CREATE INDEX api_keys_previous_key_hash ON api_keys (previous_key_hash) WHERE previous_key_hash IS NOT NULL;

-- Gateways that have the key in memory read it again, whichever of its secrets a client uses.
CREATE OR REPLACE FUNCTION majordomo_tell_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    PERFORM pg_notify('majordomo_keys', hash) FROM unnest(ARRAY[OLD.key_hash, OLD.previous_key_hash]) AS hash WHERE hash IS NOT NULL;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    PERFORM pg_notify('majordomo_keys', hash) FROM unnest(ARRAY[NEW.key_hash, NEW.previous_key_hash]) AS hash WHERE hash IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER majordomo_key_policy_changed
  AFTER UPDATE OF expires_at, allowed_models, allowed_providers, previous_key_hash, previous_key_until ON api_keys
  FOR EACH ROW EXECUTE FUNCTION majordomo_tell_key();
