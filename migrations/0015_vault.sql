-- 0015 vault
-- breaking: no

-- The keys of providers that the gateway holds, encrypted with the vault key, which is not in the database. A removed key
-- keeps its row without its secret, so that reports and bindings can name it.
CREATE TABLE provider_api_keys (
  id uuid PRIMARY KEY,
  provider text NOT NULL,
  alias text NOT NULL,
  kind text NOT NULL CONSTRAINT provider_api_keys_kind CHECK (kind IN ('key', 'aws', 'google')),
  -- AES-256-GCM: the encrypted text and its tag. The additional data are the id, the provider and the alias.
  ciphertext bytea,
  nonce bytea,
  -- Which vault key encrypted it: the first 8 hex digits of the SHA-256 of that key.
  key_id text,
  last_four text NOT NULL,
  -- Whether requests use it whose API key is bound to none.
  is_default boolean NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  rotated_at timestamptz,
  last_used_at timestamptz,
  removed_at timestamptz,
  CONSTRAINT provider_api_keys_secret CHECK ((removed_at IS NULL) = (ciphertext IS NOT NULL))
);
CREATE UNIQUE INDEX provider_api_keys_alias ON provider_api_keys (provider, alias) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX provider_api_keys_default ON provider_api_keys (provider) WHERE is_default AND removed_at IS NULL;

-- Gateways hold the decrypted keys in memory, and read them again after this notification.
CREATE FUNCTION majordomo_tell_provider_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('majordomo_keys', 'provider-keys');
  RETURN NULL;
END $$;
CREATE TRIGGER majordomo_provider_keys_added AFTER INSERT OR DELETE OR TRUNCATE ON provider_api_keys
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_tell_provider_keys();
-- Only these columns, so that the time of the last use sends no notification.
CREATE TRIGGER majordomo_provider_keys_changed AFTER UPDATE OF ciphertext, nonce, key_id, is_default, removed_at ON provider_api_keys
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_tell_provider_keys();

-- The provider keys to which an API key is bound: ids of provider_api_keys by the names of their providers.
ALTER TABLE api_keys ADD COLUMN provider_keys jsonb;
CREATE TRIGGER majordomo_key_bound AFTER UPDATE OF provider_keys ON api_keys
  FOR EACH ROW EXECUTE FUNCTION majordomo_tell_key();
