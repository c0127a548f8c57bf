-- The whole database of majordomo-gateway, for PostgreSQL 14 and later and for the embedded engine.
--
--   psql -f schema.sql            (or `majordomo-gateway migrate`, or simply `serve`, which applies it itself)
--
-- It may be applied again and again, also while gateways run: whatever is there already is looked up in the catalogue
-- and not touched, so a repetition takes no lock on a table. A database of the Go gateway is brought up to date with
-- all its rows. All or nothing: one transaction, under one advisory lock.

BEGIN;

SET LOCAL client_min_messages = warning;

DO $$ BEGIN PERFORM pg_advisory_xact_lock(7680, 1); END $$;


-- ## Tables, as the Go gateway knew them ------------------------------------------------------------------------------

CREATE TABLE IF NOT EXISTS api_keys (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  key_hash       text NOT NULL UNIQUE,               -- SHA-256 of the key, in hex; the key itself is nowhere
  name           text NOT NULL,
  description    text,
  is_active      boolean NOT NULL DEFAULT true,
  created_at     timestamptz NOT NULL DEFAULT now(),
  revoked_at     timestamptz,                        -- a key is accepted while it is active and this is empty
  last_used_at   timestamptz,
  request_count  bigint NOT NULL DEFAULT 0
);

-- One row per request that the gateway answered after it knew the caller.
--
-- majordomo_api_key_id has no foreign key on purpose: a key that somebody deletes by hand while rows still wait to be
-- written must not make those rows fail, and rows keep the id of their key for ever.
CREATE TABLE IF NOT EXISTS llm_requests (
  id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  majordomo_api_key_id    uuid,
  provider_api_key_hash   text,                      -- SHA-256 of the provider credential that was sent
  provider_api_key_alias  text,
  provider                text NOT NULL,
  model                   text NOT NULL,             -- the model that answered
  request_path            text NOT NULL,
  request_method          text NOT NULL,
  requested_at            timestamptz NOT NULL,
  responded_at            timestamptz NOT NULL,
  response_time_ms        integer NOT NULL,
  input_tokens            bigint NOT NULL DEFAULT 0, -- ALL input
  cached_tokens           bigint NOT NULL DEFAULT 0, -- of it: read from the provider's cache
  cache_creation_tokens   bigint NOT NULL DEFAULT 0, -- of it: written to the provider's cache
  output_tokens           bigint NOT NULL DEFAULT 0, -- ALL output, reasoning inside it
  input_cost              numeric(20,12),            -- USD; NULL = not known, which is never 0
  output_cost             numeric(20,12),
  total_cost              numeric(20,12),
  status_code             integer NOT NULL,
  error_message           text,
  raw_metadata            jsonb,                     -- every X-Majordomo-* header, names in Train-Case
  indexed_metadata        jsonb,                     -- of them the names that are active
  request_body            text,
  response_body           text,
  s3_key                  text,
  created_at              timestamptz NOT NULL DEFAULT now() -- when the request ended
);

-- The metadata names that each key has used, and which of them are active (indexed and counted by value).
CREATE TABLE IF NOT EXISTS llm_requests_metadata_keys (
  majordomo_api_key_id  uuid NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
  key_name              text NOT NULL,
  display_name          text,
  key_type              text DEFAULT 'string',
  is_required           boolean DEFAULT false,
  is_active             boolean NOT NULL DEFAULT false,
  activated_at          timestamptz,
  request_count         bigint NOT NULL DEFAULT 0,
  last_seen_at          timestamptz,
  approx_cardinality    integer NOT NULL DEFAULT 0,
  created_at            timestamptz DEFAULT now(),
  PRIMARY KEY (majordomo_api_key_id, key_name)
);


-- What rows cost before `pricing reprice` priced them again, and since. Rows are only ever added.
CREATE TABLE IF NOT EXISTS llm_request_repricings (
  request_id       uuid NOT NULL,                    -- a row of llm_requests, which may be pruned before this one
  repriced_at      timestamptz NOT NULL DEFAULT now(),
  reason           text NOT NULL,
  old_input_cost   numeric(20,12),
  old_output_cost  numeric(20,12),
  old_total_cost   numeric(20,12),
  old_cost_status  text NOT NULL,
  old_price        jsonb,
  new_input_cost   numeric(20,12),
  new_output_cost  numeric(20,12),
  new_total_cost   numeric(20,12),
  new_cost_status  text NOT NULL,
  new_price        jsonb,
  PRIMARY KEY (request_id, repriced_at)
);


-- Gateways that remember keys, so that a revocation can wait until each has forgotten the key (src/database/gateways.ts).
CREATE SEQUENCE IF NOT EXISTS majordomo_questions;
CREATE TABLE IF NOT EXISTS majordomo_gateways (
  id       uuid PRIMARY KEY,
  seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(), -- its line was up then
  heard    bigint NOT NULL DEFAULT 0                       -- the latest question of majordomo_questions it has answered
);

-- Which schema.sql was applied by `migrate`; psql leaves no mark.
CREATE TABLE IF NOT EXISTS majordomo_schema (
  one_row     boolean PRIMARY KEY DEFAULT true CHECK (one_row),
  digest      text,
  applied_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO majordomo_schema DEFAULT VALUES ON CONFLICT DO NOTHING;

-- ## Sums that reports read --------------------------------------------------------------------------------------------
-- By created_at, in UTC; their further columns are the counters below. All rows count, however they were written, once.
-- A DELETE does not take away from them: rows may be pruned and the sums stay. TRUNCATE empties them too. Rows of outcome
-- 'gap' are no requests and are not in them.

CREATE TABLE IF NOT EXISTS llm_usage_hourly (
  hour                  timestamptz NOT NULL,
  provider              text NOT NULL,
  model                 text NOT NULL,               -- its first 255 characters
  PRIMARY KEY (hour, provider, model)
);

-- Where a day of a time zone begins, and which hours of a day are whose: a day's sums do not know it, and its rows are many.
CREATE TABLE IF NOT EXISTS llm_usage_hourly_keys (
  hour                  timestamptz NOT NULL,
  majordomo_api_key_id  uuid NOT NULL,               -- as below
  PRIMARY KEY (hour, majordomo_api_key_id)
);

CREATE TABLE IF NOT EXISTS llm_usage_daily (
  day                   date NOT NULL,
  majordomo_api_key_id  uuid NOT NULL,               -- zeros: a row without a key
  provider              text NOT NULL,
  model                 text NOT NULL,
  PRIMARY KEY (day, majordomo_api_key_id, provider, model)
);

-- Of active metadata names only; after 10,000 values of a name in a day, further ones are counted as '(other)'.
CREATE TABLE IF NOT EXISTS llm_usage_metadata (
  day                   date NOT NULL,
  name                  text NOT NULL,
  value                 text NOT NULL,               -- its first 255 characters
  PRIMARY KEY (name, day, value)
);

-- The sums of llm_usage_metadata of the days before majordomo_schema.folded_before, value by value, so that a month of
-- ten thousand values is not three hundred thousand rows. Closed days are added once, and what comes late for them at once.
CREATE TABLE IF NOT EXISTS llm_usage_metadata_weekly (
  week                  date NOT NULL,               -- its Monday
  name                  text NOT NULL,
  value                 text NOT NULL,
  PRIMARY KEY (name, week, value)
);

CREATE TABLE IF NOT EXISTS llm_usage_metadata_values (
  day                   date NOT NULL,
  name                  text NOT NULL,
  distinct_values       integer NOT NULL DEFAULT 0,
  PRIMARY KEY (name, day)
);

-- What is known of a metadata name as a whole. The moment one of its keys makes it active, further rows are summed; only
-- `metadata activate` goes back to the earlier rows, and says here when it has been through them all.
CREATE TABLE IF NOT EXISTS llm_usage_metadata_names (
  name       text PRIMARY KEY,
  every_key  boolean NOT NULL DEFAULT false,         -- active for all keys, those to come included
  summed     boolean NOT NULL DEFAULT false,         -- llm_usage_metadata holds all rows that have it
  indexed    boolean NOT NULL DEFAULT false          -- and so does indexed_metadata
);


-- ## Columns that came later ------------------------------------------------------------------------------------------
-- A new column of any table is one line here. Constant defaults: adding them does not rewrite a table.

DO $$
DECLARE
  missing record;
BEGIN
  -- The Go gateway's name for the same thing.
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'llm_requests'::regclass AND attname = 'body_s3_key')
     AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'llm_requests'::regclass AND attname = 's3_key') THEN
    ALTER TABLE llm_requests RENAME COLUMN body_s3_key TO s3_key;
  END IF;

  FOR missing IN
    SELECT table_name, string_agg(format('ADD COLUMN %I %s', column_name, definition), ', ' ORDER BY position) AS actions
    FROM (VALUES
      ( 1, 'api_keys',     'updated_at',               'timestamptz NOT NULL DEFAULT now()'),
      ( 2, 'llm_requests', 'requested_model',          'text'),                              -- as the client asked for it
      ( 3, 'llm_requests', 'first_byte_ms',            'integer'),                           -- until the provider's first byte
      ( 4, 'llm_requests', 'cache_creation_1h_tokens', 'bigint NOT NULL DEFAULT 0'),         -- of the writes: at the 1 h rate
      ( 5, 'llm_requests', 'reasoning_tokens',         'bigint NOT NULL DEFAULT 0'),         -- of the output
      ( 6, 'llm_requests', 'cost_status',              'text NOT NULL DEFAULT ''unpriced'''),-- exact, estimated, unpriced, free, inconsistent
      ( 7, 'llm_requests', 'price',                    'jsonb'),                             -- the certificate: rates, sources, the sum
      ( 8, 'llm_requests', 'usage',                    'jsonb'),                             -- the provider's own usage object
      ( 9, 'llm_requests', 'usage_source',             'text NOT NULL DEFAULT ''none'''),    -- reported, estimated, none
      (10, 'llm_requests', 'streamed',                 'boolean NOT NULL DEFAULT false'),
      (11, 'llm_requests', 'outcome',                  'text NOT NULL DEFAULT ''complete'''),-- or client_left, upstream_broke, gateway_died, gap
      (33, 'llm_requests', 'dialect',                  'text'),                              -- the API dialect that metered the answer
      -- a Go database from before these existed
      (12, 'llm_requests', 's3_key',                   'text'),
      (13, 'llm_requests', 'provider_api_key_alias',   'text'),
      (14, 'llm_requests', 'cached_tokens',            'bigint NOT NULL DEFAULT 0'),
      (15, 'llm_requests', 'cache_creation_tokens',    'bigint NOT NULL DEFAULT 0'),
      (16, 'llm_requests', 'raw_metadata',             'jsonb'),
      (17, 'llm_requests', 'indexed_metadata',         'jsonb'),
      (18, 'llm_requests', 'request_body',             'text'),
      (19, 'llm_requests', 'response_body',            'text'),
      (20, 'llm_requests_metadata_keys', 'display_name',       'text'),
      (21, 'llm_requests_metadata_keys', 'key_type',           'text DEFAULT ''string'''),
      (22, 'llm_requests_metadata_keys', 'is_required',        'boolean DEFAULT false'),
      (23, 'llm_requests_metadata_keys', 'activated_at',       'timestamptz'),
      (24, 'llm_requests_metadata_keys', 'request_count',      'bigint NOT NULL DEFAULT 0'),
      (25, 'llm_requests_metadata_keys', 'last_seen_at',       'timestamptz'),
      (26, 'llm_requests_metadata_keys', 'approx_cardinality', 'integer NOT NULL DEFAULT 0'),
      (27, 'majordomo_schema', 'pruned_before', 'timestamptz'),                               -- a midnight (UTC): earlier rows may be gone
      (28, 'majordomo_schema', 'folded_before', 'date')                                       -- a day (UTC): earlier ones are in llm_usage_metadata_weekly
    ) AS wanted (position, table_name, column_name, definition)
    WHERE NOT EXISTS (
      SELECT FROM pg_attribute WHERE attrelid = table_name::regclass AND attname = column_name AND NOT attisdropped)
    GROUP BY table_name
  LOOP
    EXECUTE format('ALTER TABLE %I %s', missing.table_name, missing.actions);
  END LOOP;
END $$;


-- ## Types that became wider ------------------------------------------------------------------------------------------
-- The Go gateway's costs end after 8 digits and overflow at 10,000; its token counts are 32 bit; its models are cut at
-- 100 characters. Everything that means reading each row is in one ALTER TABLE, so a large table is rewritten once.

DO $$
DECLARE
  seen record;
  view_ record;
  definitions text[] := '{}';
  definition text;
  actions text;
  from_go boolean;
BEGIN
  SELECT
    string_agg(
      CASE kind
        WHEN 'text'   THEN format('ALTER COLUMN %I TYPE text', column_name)
        WHEN 'tokens' THEN format('ALTER COLUMN %1$I TYPE bigint USING coalesce(%1$I, 0), ALTER COLUMN %1$I SET DEFAULT 0, ALTER COLUMN %1$I SET NOT NULL', column_name)
        WHEN 'cost'   THEN format('ALTER COLUMN %1$I TYPE numeric(20,12), ALTER COLUMN %1$I DROP NOT NULL, ALTER COLUMN %1$I DROP DEFAULT', column_name)
      END, ', '),
    coalesce(bool_or(kind = 'cost'), false)
  INTO actions, from_go
  FROM (VALUES
    ('provider_api_key_hash', 'text'), ('provider_api_key_alias', 'text'), ('provider', 'text'), ('model', 'text'),
    ('request_path', 'text'), ('request_method', 'text'), ('error_message', 'text'), ('s3_key', 'text'),
    ('input_tokens', 'tokens'), ('output_tokens', 'tokens'), ('cached_tokens', 'tokens'), ('cache_creation_tokens', 'tokens'),
    ('input_cost', 'cost'), ('output_cost', 'cost'), ('total_cost', 'cost')
  ) AS wanted (column_name, kind)
  JOIN pg_attribute ON attrelid = 'llm_requests'::regclass AND attname = column_name AND NOT attisdropped
  WHERE format_type(atttypid, atttypmod) <> CASE kind WHEN 'text' THEN 'text' WHEN 'tokens' THEN 'bigint' ELSE 'numeric(20,12)' END;

  IF actions IS NULL THEN RETURN; END IF;

  IF from_go THEN
    -- What the Go gateway's rows are worth. Its costs above 0 are 'estimated', for it knew neither tiers nor the cost
    -- of cache writes and it cut at 8 digits. It wrote 0 where it had no price or saw no usage: those are 'unpriced'
    -- (their cost columns stay as they are, so that sums which somebody took before do not change). Providers do not
    -- bill an error: 'free'.
    actions := actions || $case$,
      ALTER COLUMN cost_status TYPE text USING CASE
        WHEN total_cost > 0 THEN 'estimated'
        WHEN status_code >= 400 AND input_tokens = 0 AND output_tokens = 0 THEN 'free'
        ELSE 'unpriced' END,
      ALTER COLUMN usage_source TYPE text USING CASE
        WHEN input_tokens > 0 OR output_tokens > 0 THEN 'reported' ELSE 'none' END,
      ALTER COLUMN created_at TYPE timestamptz USING coalesce(created_at, responded_at),
      ALTER COLUMN created_at SET NOT NULL $case$;
    -- Half of the table's size, and no report reads it: a provider credential is looked for within a period.
    DROP INDEX IF EXISTS idx_llm_requests_provider_key_time;
  END IF;

  -- Views forbid a change of the columns they show. They are taken away and put back as they were, with their owners
  -- and grants; innermost first, outermost last.
  FOR view_ IN
    WITH RECURSIVE dependent (view_oid, depth) AS (
      SELECT r.ev_class, 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
          AND d.refobjid = 'llm_requests'::regclass AND r.ev_class <> d.refobjid
      UNION
      SELECT r.ev_class, depth + 1 FROM dependent JOIN pg_depend d ON d.refobjid = view_oid
        JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> view_oid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND depth < 100
    )
    SELECT c.oid, c.oid::regclass::text AS name, c.relkind, c.relacl, c.relowner, c.reloptions,
           pg_get_viewdef(c.oid) AS body, obj_description(c.oid, 'pg_class') AS remark, max(depth) AS depth
    FROM dependent JOIN pg_class c ON c.oid = view_oid
    GROUP BY c.oid, c.relkind, c.relacl, c.relowner, c.reloptions
    ORDER BY max(depth)
  LOOP
    IF view_.relkind <> 'v' THEN
      RAISE EXCEPTION 'the materialized view % depends on llm_requests', view_.name
        USING HINT = 'Its definition would have to be built again: drop it, apply schema.sql, and create it again.';
    END IF;
    definitions := definitions || format('CREATE VIEW %s %s AS %s', view_.name,
      'WITH (' || array_to_string(view_.reloptions, ', ') || ')', view_.body);
    definitions := definitions || format('ALTER VIEW %s OWNER TO %I', view_.name, pg_get_userbyid(view_.relowner));
    FOR seen IN SELECT a.privilege_type, a.is_grantable, r.rolname FROM aclexplode(view_.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee LOOP
      definitions := definitions || format('GRANT %s ON %s TO %s %s', seen.privilege_type, view_.name,
        coalesce(quote_ident(seen.rolname), 'PUBLIC'), CASE WHEN seen.is_grantable THEN 'WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    IF view_.remark IS NOT NULL THEN
      definitions := definitions || format('COMMENT ON VIEW %s IS %L', view_.name, view_.remark);
    END IF;
    EXECUTE format('DROP VIEW IF EXISTS %s CASCADE', view_.name);
  END LOOP;

  EXECUTE 'ALTER TABLE llm_requests ' || actions;
  FOREACH definition IN ARRAY definitions LOOP EXECUTE definition; END LOOP;
END $$;

-- Without reading the rows again: a foreign key that other versions declared, text that was bounded, a default.
DO $$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT conname FROM pg_constraint
    WHERE conrelid = 'llm_requests'::regclass AND contype = 'f' AND confrelid = 'api_keys'::regclass
      AND conkey = ARRAY[(SELECT attnum FROM pg_attribute WHERE attrelid = 'llm_requests'::regclass AND attname = 'majordomo_api_key_id')]
  LOOP
    EXECUTE format('ALTER TABLE llm_requests DROP CONSTRAINT %I', found.conname);
  END LOOP;

  FOR found IN
    SELECT attrelid::regclass AS table_name, attname FROM pg_attribute
    WHERE attrelid IN ('api_keys'::regclass, 'llm_requests_metadata_keys'::regclass) AND NOT attisdropped
      AND attname IN ('key_name', 'display_name', 'key_type') AND atttypid = 'varchar'::regtype
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE text', found.table_name, found.attname);
  END LOOP;
END $$;


-- ## Indexes ----------------------------------------------------------------------------------------------------------
-- Each one is paid for by every row that is written. The looked-up name spares CREATE INDEX its lock on the table.

DO $$
DECLARE
  missing record;
BEGIN
  FOR missing IN
    SELECT name, definition FROM (VALUES
      -- A period in a table that grows in the order of time: 0.3 MB where a B-tree has 110 MB at five million rows.
      ('idx_llm_requests_requested_at', 'llm_requests USING brin (requested_at) WITH (autosummarize = on)'),
      -- The newest rows at once (`usage requests`, `usage tail`, ORDER BY created_at DESC LIMIT n). New rows go to its right edge.
      ('idx_llm_requests_created_at', 'llm_requests (created_at)'),
      -- The newest rows of one key, however rarely it is used. Reports by key read the roll-up.
      ('idx_llm_requests_majordomo_key_time', 'llm_requests (majordomo_api_key_id, requested_at DESC)'),
      -- Rows by the value of an active metadata name: indexed_metadata @> '{"User-Id": "42"}'.
      ('idx_llm_requests_indexed_metadata_gin', 'llm_requests USING gin (indexed_metadata)'),
      -- The active names, of which there are few, for each batch that is written.
      ('idx_llm_requests_metadata_keys_active', 'llm_requests_metadata_keys (majordomo_api_key_id) WHERE is_active')
    ) AS wanted (name, definition)
    WHERE to_regclass(name) IS NULL
  LOOP
    EXECUTE format('CREATE INDEX %I ON %s', missing.name, missing.definition);
  END LOOP;
END $$;


-- ## Keys are remembered by gateways: every change is told to them ----------------------------------------------------
-- The payload is the key's hash, or '*' for all keys. Whoever makes the change: keys revoke, psql, another program.
-- On the three columns alone, so that counting requests tells nobody.

CREATE OR REPLACE FUNCTION majordomo_tell_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN PERFORM pg_notify('majordomo_keys', OLD.key_hash); END IF;
  IF TG_OP <> 'DELETE' THEN PERFORM pg_notify('majordomo_keys', NEW.key_hash); END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION majordomo_tell_all_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('majordomo_keys', '*');
  RETURN NULL;
END $$;


-- ## Counting ---------------------------------------------------------------------------------------------------------
-- Statement-level triggers with transition tables: they see the rows that were really written, so a batch that is sent
-- twice (ON CONFLICT DO NOTHING) counts once, and rows of any other program count too.

DO $build$
DECLARE
  counter record;
  names text;   -- requests, errors, …
  firsts text;  -- … from rows: sum(sign), …
  totals text;  -- … from sums: sum(requests), …
  adds text;    -- requests = t.requests + excluded.requests, …
  alter_ text;
  body text;
  again text;   -- the body of majordomo_count_again, which adds up weeks when all their days are there
  weekly text := $body$, weekly AS (
        INSERT INTO llm_usage_metadata_weekly AS t (week, name, value, {names})
        SELECT date_trunc('week', day)::date, name, place, {totals} FROM placed
        WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
        ON CONFLICT (name, week, value) DO UPDATE SET {adds}
      )$body$;
BEGIN
  -- A new counter is one line here; it starts at 0 in sums that exist (majordomo_count_again fills it).
  -- numeric, not bigint: a provider's absurd token counts must not make the sum, and with it the batch, fail.
  CREATE TEMP TABLE majordomo_counters ON COMMIT DROP AS
    SELECT * FROM (VALUES
      ( 1, 'requests',                 'bigint',  'sum(sign)'),
      ( 2, 'errors',                   'bigint',  'sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN (''upstream_broke'', ''gateway_died''))'),
      ( 3, 'input_tokens',             'numeric', 'sum(sign * input_tokens)'),
      ( 4, 'cached_tokens',            'numeric', 'sum(sign * cached_tokens)'),
      ( 5, 'cache_creation_tokens',    'numeric', 'sum(sign * cache_creation_tokens)'),
      ( 6, 'cache_creation_1h_tokens', 'numeric', 'sum(sign * cache_creation_1h_tokens)'),
      ( 7, 'output_tokens',            'numeric', 'sum(sign * output_tokens)'),
      ( 8, 'reasoning_tokens',         'numeric', 'sum(sign * reasoning_tokens)'),
      ( 9, 'input_cost',               'numeric', 'sum(sign * input_cost)'),
      (10, 'output_cost',              'numeric', 'sum(sign * output_cost)'),
      (11, 'total_cost',               'numeric', 'sum(sign * total_cost)'),
      (12, 'without_cost',             'bigint',  'sum(sign) FILTER (WHERE total_cost IS NULL)'),
      (13, 'exact',                    'bigint',  'sum(sign) FILTER (WHERE cost_status = ''exact'')'),
      (14, 'estimated',                'bigint',  'sum(sign) FILTER (WHERE cost_status = ''estimated'')'),
      (15, 'unpriced',                 'bigint',  'sum(sign) FILTER (WHERE cost_status = ''unpriced'')'),
      (16, 'free',                     'bigint',  'sum(sign) FILTER (WHERE cost_status = ''free'')'),
      (17, 'inconsistent',             'bigint',  'sum(sign) FILTER (WHERE cost_status = ''inconsistent'')'),
      (18, 'response_time_ms',         'numeric', 'sum(sign * response_time_ms::bigint)')
    ) AS counters (position, name, type, expression);

  FOR counter IN
    SELECT table_name, string_agg(format('ADD COLUMN %I %s NOT NULL DEFAULT 0', name, type), ', ' ORDER BY position) AS actions
    FROM majordomo_counters CROSS JOIN unnest(ARRAY['llm_usage_hourly', 'llm_usage_hourly_keys', 'llm_usage_daily', 'llm_usage_metadata', 'llm_usage_metadata_weekly']) AS table_name
    WHERE NOT EXISTS (
      SELECT FROM pg_attribute WHERE attrelid = table_name::regclass AND attname = name AND NOT attisdropped)
    GROUP BY table_name
  LOOP
    EXECUTE format('ALTER TABLE %I %s', counter.table_name, counter.actions);
  END LOOP;

  SELECT string_agg(name, ', ' ORDER BY position),
         string_agg(format('coalesce(%s, 0) AS %I', expression, name), ', ' ORDER BY position),
         string_agg(format('sum(%1$I) AS %1$I', name), ', ' ORDER BY position),
         string_agg(format('%1$I = t.%1$I + excluded.%1$I', name), ', ' ORDER BY position)
  INTO names, firsts, totals, adds FROM majordomo_counters;

  -- jit = off: the planner guesses transition tables to be large and would compile for 10 ms what runs in 1.
  --
  -- {rows} are rows of llm_requests with a sign: 1 to count them, -1 to count them no more. Where all are to be counted
  -- the sign is left out of the text again: this runs for every batch.
  body := $body$
    -- All batches change the same few sums, so they would wait for each other anyway: in one line they cannot deadlock.
    PERFORM pg_advisory_xact_lock(7680, 2);

    WITH cells AS (
      SELECT date_trunc('hour', created_at, 'UTC') AS hour,
             coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
             left(provider, 255) AS provider, left(model, 255) AS model, {firsts}
      FROM ({rows}) AS changes GROUP BY 1, 2, 3, 4
    ), hourly AS (
      INSERT INTO llm_usage_hourly AS t (hour, provider, model, {names})
      SELECT hour, provider, model, {totals} FROM cells GROUP BY 1, 2, 3
      ON CONFLICT (hour, provider, model) DO UPDATE SET {adds}
    ), hourly_keys AS (
      INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id, {names})
      SELECT hour, majordomo_api_key_id, {totals} FROM cells GROUP BY 1, 2
      ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET {adds}
    )
    INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model, {names})
    SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model, {totals} FROM cells GROUP BY 1, 2, 3, 4
    ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET {adds};

    IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active) OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
      PERFORM majordomo_fold_days();

      WITH cells AS (
        SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value, {firsts}
        FROM ({rows}) AS changes
        -- Of all keys' rows, although one key may have made the name active: sums that leave some out help no report.
        CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
              UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
        WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
      ), fresh AS (
        SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
        WHERE NOT EXISTS (SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
      ), admitted AS (
        SELECT fresh.* FROM fresh LEFT JOIN llm_usage_metadata_values v USING (day, name)
        WHERE nth + coalesce(v.distinct_values, 0) <= 10000
      ), counted AS (
        INSERT INTO llm_usage_metadata_values AS v (day, name, distinct_values)
        SELECT day, name, count(*) FROM admitted GROUP BY 1, 2
        ON CONFLICT (name, day) DO UPDATE SET distinct_values = v.distinct_values + excluded.distinct_values
      ), placed AS (
        SELECT *, CASE WHEN f.nth IS NULL OR a.nth IS NOT NULL THEN value ELSE '(other)' END AS place
        FROM cells LEFT JOIN fresh f USING (day, name, value) LEFT JOIN admitted a USING (day, name, value)
      ){weekly}
      INSERT INTO llm_usage_metadata AS t (day, name, value, {names})
      SELECT day, name, place, {totals} FROM placed GROUP BY 1, 2, 3
      ON CONFLICT (name, day, value) DO UPDATE SET {adds};
    END IF;
  $body$;
  -- Adds the days that ended since the last time to their weeks: with the first batch of a day, and before a day is
  -- counted again. Whoever calls it holds the line of the batches.
  EXECUTE format('CREATE OR REPLACE FUNCTION majordomo_fold_days() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS %L',
    replace(replace(replace($body$
    DECLARE
      since date := (SELECT coalesce(folded_before, '-infinity') FROM majordomo_schema);
      until date := (now() AT TIME ZONE 'UTC')::date;
    BEGIN
      IF since >= until THEN RETURN; END IF;
      INSERT INTO llm_usage_metadata_weekly AS t (week, name, value, {names})
      SELECT date_trunc('week', day)::date, name, value, {totals} FROM llm_usage_metadata WHERE day >= since AND day < until GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET {adds};
      UPDATE majordomo_schema SET folded_before = until;
    END $body$, '{names}', names), '{totals}', totals), '{adds}', adds));

  -- Adds up again from their days the weeks that have a day from `since` up to before `until`, of one name or of all.
  EXECUTE format('CREATE OR REPLACE FUNCTION majordomo_fold_again(since date, until date DEFAULT ''infinity'', wanted text DEFAULT NULL) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS %L',
    replace(replace($body$
    DECLARE
      first_week date := date_trunc('week', since);
      next_week date := CASE WHEN until = 'infinity' THEN until ELSE date_trunc('week', until - 1)::date + 7 END;
    BEGIN
      PERFORM pg_advisory_xact_lock(7680, 2);
      DELETE FROM llm_usage_metadata_weekly WHERE week >= first_week AND week < next_week AND (wanted IS NULL OR name = wanted);
      INSERT INTO llm_usage_metadata_weekly (week, name, value, {names})
      SELECT date_trunc('week', day)::date, name, value, {totals} FROM llm_usage_metadata
      WHERE day >= first_week AND day < least(next_week, (SELECT folded_before FROM majordomo_schema)) AND (wanted IS NULL OR name = wanted)
      GROUP BY 1, 2, 3;
    END $body$, '{names}', names), '{totals}', totals));

  again := replace(replace(replace(replace(replace(body, '{weekly}', ''), '{names}', names), '{firsts}', firsts), '{totals}', totals), '{adds}', adds);
  body := replace(replace(replace(replace(replace(body, '{weekly}', weekly), '{names}', names), '{firsts}', firsts), '{totals}', totals), '{adds}', adds);

  EXECUTE format('CREATE OR REPLACE FUNCTION majordomo_count_added() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS %L',
    'BEGIN' || replace(replace(replace(body, '{rows}', 'SELECT * FROM added WHERE outcome <> ''gap'''), 'sum(sign)', 'count(*)'), 'sign * ', '') || $keys$
      UPDATE api_keys k SET request_count = k.request_count + u.requests, last_used_at = greatest(k.last_used_at, u.last_used_at)
      FROM (SELECT majordomo_api_key_id, count(*) AS requests, max(requested_at) AS last_used_at FROM added GROUP BY 1) AS u
      WHERE k.id = u.majordomo_api_key_id;

      -- Names are the clients' choice, so their number per key is bounded.
      IF EXISTS (SELECT FROM added WHERE jsonb_typeof(raw_metadata) = 'object') THEN
        INSERT INTO llm_requests_metadata_keys AS m (majordomo_api_key_id, key_name, request_count, last_seen_at, is_active, activated_at)
        SELECT u.*, n.name IS NOT NULL, CASE WHEN n.name IS NOT NULL THEN now() END FROM (
          SELECT majordomo_api_key_id, left(name, 255) AS name, count(*) AS requests, max(requested_at) AS last_seen_at
          FROM (SELECT majordomo_api_key_id, requested_at,
                  jsonb_object_keys(CASE WHEN jsonb_typeof(raw_metadata) = 'object' THEN raw_metadata END) AS name FROM added) AS names
          GROUP BY 1, 2) AS u
        JOIN api_keys k ON k.id = u.majordomo_api_key_id
        LEFT JOIN llm_usage_metadata_names n ON n.name = u.name AND n.every_key
        WHERE EXISTS (SELECT FROM llm_requests_metadata_keys o WHERE (o.majordomo_api_key_id, o.key_name) = (u.majordomo_api_key_id, u.name))
           OR (SELECT count(*) FROM llm_requests_metadata_keys o WHERE o.majordomo_api_key_id = u.majordomo_api_key_id) < 1000
        ON CONFLICT (majordomo_api_key_id, key_name) DO UPDATE
          SET request_count = m.request_count + excluded.request_count, last_seen_at = greatest(m.last_seen_at, excluded.last_seen_at);
      END IF;
      RETURN NULL;
    END $keys$);

  -- A row that changes (a cost worked out again) counts as what it is now. Changes that no sum shows cancel out.
  EXECUTE format('CREATE OR REPLACE FUNCTION majordomo_count_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS %L',
    $skip$BEGIN
      -- Who changes many rows and no column that is summed (`metadata activate`, `prune --bodies-only`) says so.
      IF current_setting('majordomo.same_sums', true) = 'on' THEN RETURN NULL; END IF;
    $skip$ || replace(body, '{rows}', $rows$SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap'$rows$) || ' RETURN NULL; END');

  -- Builds the sums from the rows again, from the day (UTC) of `since` on: after a restore without triggers, on a
  -- database of the Go gateway. Earlier days stay as they are, and so do those whose rows were pruned.
  EXECUTE format('CREATE OR REPLACE FUNCTION majordomo_count_again(since timestamptz DEFAULT ''-infinity'') RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS %L', $head$
    DECLARE
      first_day date := CASE WHEN since = '-infinity' THEN '-infinity'::date ELSE (since AT TIME ZONE 'UTC')::date END;
      start timestamptz := CASE WHEN since = '-infinity' THEN since ELSE date_trunc('day', since, 'UTC') END;
      asked date := first_day;
      pruned timestamptz := (SELECT pruned_before FROM majordomo_schema);
    BEGIN
      IF pruned > start THEN
        start := pruned;
        first_day := (pruned AT TIME ZONE 'UTC')::date;
      END IF;
      LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE; -- no row may come between the two
      DELETE FROM llm_usage_hourly WHERE hour >= start;
      DELETE FROM llm_usage_hourly_keys WHERE hour >= start;
      DELETE FROM llm_usage_daily WHERE day >= first_day;
      DELETE FROM llm_usage_metadata WHERE day >= first_day;
      DELETE FROM llm_usage_metadata_values WHERE day >= first_day;
    $head$ || replace(again, '{rows}', 'SELECT 1 AS sign, * FROM llm_requests WHERE created_at >= start AND outcome <> ''gap''') || ' PERFORM majordomo_fold_again(asked); END');

  -- The hours of keys in a database that had only days of them: from the rows, and what a day has more than its rows (they
  -- were pruned) in its first hour.
  EXECUTE format('CREATE OR REPLACE FUNCTION majordomo_fill_hourly_keys() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS %L',
    replace(replace(replace(replace(replace($body$
    BEGIN
      INSERT INTO llm_usage_hourly_keys (hour, majordomo_api_key_id, {names})
      SELECT date_trunc('hour', created_at, 'UTC'), coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000'), {firsts}
      FROM llm_requests WHERE outcome <> 'gap' GROUP BY 1, 2;

      INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id, {names})
      SELECT day::timestamp AT TIME ZONE 'UTC', majordomo_api_key_id, {totals} FROM (
        SELECT day, majordomo_api_key_id, {names} FROM llm_usage_daily
        UNION ALL SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, {negated} FROM llm_usage_hourly_keys) AS rest
      GROUP BY 1, 2 HAVING sum(requests) > 0
      ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET {adds};
    END $body$, '{negated}', '-' || replace(names, ', ', ', -')), '{names}', names), '{firsts}', replace(replace(firsts, 'sum(sign)', 'count(*)'), 'sign * ', '')), '{totals}', totals), '{adds}', adds));

  -- The sums of one metadata name on one day (UTC), built from that day's rows; gives their number. The rows are read
  -- before writers have to wait, and once more, while they do, if some of that day came meanwhile: each row that comes or
  -- changes makes new versions of the day's sums, whose places and transactions are `seen`.
  EXECUTE format('CREATE OR REPLACE FUNCTION majordomo_count_name(wanted text, on_day date) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS %L',
    replace(replace(replace($body$
    DECLARE
      sums json;
      seen text;
      now_seen text;
      counted bigint;
      kept integer;
    BEGIN
      IF on_day::timestamp AT TIME ZONE 'UTC' < (SELECT pruned_before FROM majordomo_schema) THEN RETURN 0; END IF;
      FOR attempt IN 1..2 LOOP
        seen := (SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
        WITH cells AS (
          SELECT left(raw_metadata ->> wanted, 255) AS value, {firsts} FROM llm_requests
          WHERE created_at >= on_day::timestamp AT TIME ZONE 'UTC' AND created_at < (on_day + 1)::timestamp AT TIME ZONE 'UTC'
            AND outcome <> 'gap' AND raw_metadata ->> wanted IS NOT NULL GROUP BY 1
        ), placed AS (
          SELECT CASE WHEN row_number() OVER (ORDER BY requests DESC, value) <= 10000 THEN value ELSE '(other)' END AS place, * FROM cells
        ), sums_ AS (
          SELECT on_day AS day, wanted AS name, place AS value, {totals} FROM placed GROUP BY 3
        )
        SELECT json_agg(s) INTO sums FROM sums_ s;
        PERFORM pg_advisory_xact_lock(7680, 2);
        now_seen := (SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
        EXIT WHEN now_seen IS NOT DISTINCT FROM seen;
      END LOOP;
      PERFORM majordomo_fold_days();
      DELETE FROM llm_usage_metadata WHERE (name, day) = (wanted, on_day);
      DELETE FROM llm_usage_metadata_values WHERE (name, day) = (wanted, on_day);
      WITH added AS (
        INSERT INTO llm_usage_metadata (day, name, value, {names})
        SELECT day, name, value, {names} FROM json_populate_recordset(NULL::llm_usage_metadata, sums)
        RETURNING value, requests
      )
      SELECT coalesce(sum(requests), 0), count(*) FILTER (WHERE value <> '(other)') INTO counted, kept FROM added;
      IF kept > 0 THEN INSERT INTO llm_usage_metadata_values (day, name, distinct_values) VALUES (on_day, wanted, kept); END IF;
      IF on_day < (SELECT folded_before FROM majordomo_schema) THEN PERFORM majordomo_fold_again(on_day, on_day + 1, wanted); END IF;
      RETURN counted;
    END $body$, '{names}', names), '{firsts}', replace(replace(firsts, 'sum(sign)', 'count(*)'), 'sign * ', '')), '{totals}', totals));
END $build$;

-- Copies the active names of a row to indexed_metadata, unless who writes the row did so. It runs for every row with
-- metadata, so the schema is written into it: SET search_path would cost more than the look-up.
DO $build$
BEGIN
  EXECUTE format('CREATE OR REPLACE FUNCTION majordomo_index_metadata() RETURNS trigger LANGUAGE plpgsql AS %L', format($body$
    BEGIN
      NEW.indexed_metadata := (
        SELECT jsonb_object_agg(key_name, NEW.raw_metadata -> key_name) FROM (
          SELECT key_name FROM %1$I.llm_requests_metadata_keys WHERE majordomo_api_key_id = NEW.majordomo_api_key_id AND is_active
          UNION SELECT name FROM %1$I.llm_usage_metadata_names WHERE every_key) AS active
        WHERE NEW.raw_metadata ? key_name);
      RETURN NEW;
    END $body$, current_schema()));
END $build$;

-- A name that no key has active any more is not summed from then on: half of a sum would be worse than none.
CREATE OR REPLACE FUNCTION majordomo_forget_names() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  WITH forgotten AS (
    DELETE FROM llm_usage_metadata_names n
    WHERE NOT every_key AND NOT EXISTS (SELECT FROM llm_requests_metadata_keys k WHERE k.key_name = n.name AND k.is_active)
    RETURNING name
  ), sums AS (
    DELETE FROM llm_usage_metadata m USING forgotten f WHERE m.name = f.name
  ), weekly AS (
    DELETE FROM llm_usage_metadata_weekly w USING forgotten f WHERE w.name = f.name
  )
  DELETE FROM llm_usage_metadata_values v USING forgotten f WHERE v.name = f.name;
  -- One key less, and not all of its rows are in indexed_metadata as they come.
  UPDATE llm_usage_metadata_names n SET indexed = false
  WHERE indexed AND NOT every_key;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION majordomo_empty_sums() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  TRUNCATE llm_usage_hourly, llm_usage_hourly_keys, llm_usage_daily, llm_usage_metadata, llm_usage_metadata_weekly, llm_usage_metadata_values;
  UPDATE majordomo_schema SET pruned_before = NULL;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION majordomo_only_add() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% only takes new rows', TG_TABLE_NAME;
END $$;

-- ## Triggers ---------------------------------------------------------------------------------------------------------

DO $$
DECLARE
  missing record;
BEGIN
  FOR missing IN
    SELECT name, table_name, definition FROM (VALUES
      ('majordomo_metadata',     'llm_requests', 'BEFORE INSERT ON llm_requests FOR EACH ROW WHEN (NEW.raw_metadata IS NOT NULL AND NEW.indexed_metadata IS NULL) EXECUTE FUNCTION majordomo_index_metadata()'),
      ('majordomo_added',        'llm_requests', 'AFTER INSERT ON llm_requests REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION majordomo_count_added()'),
      ('majordomo_changed',      'llm_requests', 'AFTER UPDATE ON llm_requests REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION majordomo_count_changed()'),
      ('majordomo_emptied',      'llm_requests', 'AFTER TRUNCATE ON llm_requests FOR EACH STATEMENT EXECUTE FUNCTION majordomo_empty_sums()'),
      ('majordomo_name_inactive', 'llm_requests_metadata_keys', 'AFTER UPDATE OF is_active OR DELETE ON llm_requests_metadata_keys FOR EACH STATEMENT EXECUTE FUNCTION majordomo_forget_names()'),
      ('majordomo_key_added',    'api_keys', 'AFTER INSERT OR DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION majordomo_tell_key()'),
      ('majordomo_key_changed',  'api_keys', 'AFTER UPDATE OF key_hash, is_active, revoked_at ON api_keys FOR EACH ROW EXECUTE FUNCTION majordomo_tell_key()'),
      ('majordomo_only_add',     'llm_request_repricings', 'BEFORE UPDATE OR DELETE OR TRUNCATE ON llm_request_repricings FOR EACH STATEMENT EXECUTE FUNCTION majordomo_only_add()'),
      ('majordomo_keys_emptied', 'api_keys', 'AFTER TRUNCATE ON api_keys FOR EACH STATEMENT EXECUTE FUNCTION majordomo_tell_all_keys()')
    ) AS wanted (name, table_name, definition)
    WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = table_name::regclass AND tgname = name)
  LOOP
    EXECUTE format('CREATE TRIGGER %I %s', missing.name, missing.definition);
  END LOOP;
END $$;

-- The rows of a database that had no sums before.
DO $$
BEGIN
  IF EXISTS (SELECT FROM llm_requests) AND NOT EXISTS (SELECT FROM llm_usage_hourly) THEN
    PERFORM majordomo_count_again();
    -- Names that the Go gateway had active are summed with the rest.
    INSERT INTO llm_usage_metadata_names (name, summed)
    SELECT DISTINCT key_name, true FROM llm_requests_metadata_keys WHERE is_active ON CONFLICT DO NOTHING;
  END IF;
END $$;

-- The sums that a database did not have before, of days by week and by hour of keys. No batch may come between: the
-- functions that know of them are not committed yet.
DO $$
BEGIN
  IF EXISTS (SELECT FROM llm_usage_daily) AND NOT EXISTS (SELECT FROM llm_usage_hourly_keys) THEN
    LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;
    PERFORM pg_advisory_xact_lock(7680, 2);
    PERFORM majordomo_fill_hourly_keys();
  END IF;
  IF (SELECT folded_before IS NULL FROM majordomo_schema) THEN
    LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;
    PERFORM pg_advisory_xact_lock(7680, 2);
    PERFORM majordomo_fold_days();
  END IF;
END $$;

COMMIT;
