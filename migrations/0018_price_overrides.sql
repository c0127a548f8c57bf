-- 0018 price_overrides
-- breaking: no

-- The prices that somebody set with `pricing set` or on the dashboard, for all gateways of this database. The settings of a
-- gateway (`pricing.overrides`) win over them (src/database/price-overrides.ts).
CREATE TABLE majordomo_price_overrides (
  provider   text NOT NULL DEFAULT '',                -- '': at every provider
  model      text NOT NULL,                           -- in lower case, as the provider
  valid_from date NOT NULL DEFAULT '-infinity',       -- the first day, in UTC; the price ends where the next one begins
  rates      jsonb NOT NULL,                          -- USD per million tokens or per piece, as text by the name of the rate
  set_at     timestamptz NOT NULL DEFAULT now(),
  set_by     text NOT NULL,
  PRIMARY KEY (provider, model, valid_from)
);

-- Gateways read the table again when it changes, whoever changes it.
CREATE FUNCTION majordomo_tell_prices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('majordomo_prices', '');
  RETURN NULL;
END $$;
CREATE TRIGGER majordomo_prices_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON majordomo_price_overrides
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_tell_prices();
