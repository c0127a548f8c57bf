-- The whole database of majordomo-gateway, for PostgreSQL 14 and later and for the embedded engine.
-- Generated from migrations/ by `npm run schema`: change it there.
--
-- Schema version: 32
--
--   psql -f schema.sql            (or `majordomo-gateway migrate`, or simply `serve`, which applies it itself)
--
-- It creates a new database and brings an older one to this version with all its rows, also one of the Go gateway. It may
-- be applied again and again while gateways run, and it leaves the schema of a newer version as it is. It is one
-- transaction under one advisory lock, so it applies everything or nothing. It changes nothing in a schema that has tables of
-- another program.

BEGIN;

SET LOCAL client_min_messages = warning;

DO $$ BEGIN PERFORM pg_advisory_xact_lock(7680, 1); END $$;


-- ## Version 1: foundation --------------------------------------------------------------------------------------------

DO $version$
DECLARE
  has_requests boolean := to_regclass('llm_requests') IS NOT NULL;
  is_go boolean := has_requests AND NOT EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = to_regclass('llm_requests') AND attname = 'cost_status' AND NOT attisdropped);
BEGIN
  IF to_regclass('majordomo_migrations') IS NOT NULL THEN RETURN; END IF;
  -- The last statement of this file says so: psql goes on after an error, and would report each statement after it.
  IF (
  WITH tables AS (
    SELECT relname::text AS name,
      -- Other tables of a gateway, and those in which tools of the Go gateway note their migrations.
      relname !~ '^(api_keys$|llm_|majordomo_|schema_migrations$|goose_db_version$)' AS is_other,
      NOT ARRAY (SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND NOT attisdropped) @> CASE relname
        WHEN 'api_keys' THEN ARRAY['id', 'key_hash', 'is_active']
        WHEN 'llm_requests' THEN ARRAY['id', 'provider', 'requested_at'] ELSE ARRAY[]::text[] END AS is_imitation
    FROM pg_class c
    WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
  ), schema AS (
    SELECT bool_or(name = 'llm_requests') AND NOT bool_or(is_imitation) AS is_ours FROM tables
  ), strange AS (
    SELECT array_agg(name ORDER BY is_imitation DESC, name) AS names FROM tables CROSS JOIN schema
    WHERE is_imitation OR (is_other AND NOT is_ours)
  )
  SELECT array_to_string(names[1:3], ', ')
    || CASE WHEN cardinality(names) > 3 THEN format(' and %s more', cardinality(names) - 3) ELSE '' END
  FROM strange) IS NOT NULL THEN RETURN; END IF;

  IF is_go THEN
    EXECUTE $migration$
-- Runs only on a database of the Go gateway, before unversioned.sql and 0001. It keeps every row.
--
-- The Go gateway's costs end after 8 digits and overflow at 10,000; its token counts have 32 bits; its texts are bounded.

-- ## Columns that the Go gateway does not have, or had not in its first versions
-- Their defaults are constants, so adding them rewrites no table.

DO $$
BEGIN
  -- The Go gateway's name for the same thing.
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'llm_requests'::regclass AND attname = 'body_s3_key')
     AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'llm_requests'::regclass AND attname = 's3_key') THEN
    ALTER TABLE llm_requests RENAME COLUMN body_s3_key TO s3_key;
  END IF;
END $$;

ALTER TABLE api_keys ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE llm_requests
  ADD COLUMN IF NOT EXISTS requested_model text,
  ADD COLUMN IF NOT EXISTS first_byte_ms integer,
  ADD COLUMN IF NOT EXISTS cache_creation_1h_tokens bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS reasoning_tokens bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS cost_status text NOT NULL DEFAULT 'unpriced',
  ADD COLUMN IF NOT EXISTS price jsonb,
  ADD COLUMN IF NOT EXISTS usage jsonb,
  ADD COLUMN IF NOT EXISTS usage_source text NOT NULL DEFAULT 'none',
  ADD COLUMN IF NOT EXISTS streamed boolean NOT NULL DEFAULT false,
  ADD COLUMN IF NOT EXISTS outcome text NOT NULL DEFAULT 'complete',
  ADD COLUMN IF NOT EXISTS s3_key text,
  ADD COLUMN IF NOT EXISTS provider_api_key_alias text,
  ADD COLUMN IF NOT EXISTS cached_tokens bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS cache_creation_tokens bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS raw_metadata jsonb,
  ADD COLUMN IF NOT EXISTS indexed_metadata jsonb,
  ADD COLUMN IF NOT EXISTS request_body text,
  ADD COLUMN IF NOT EXISTS response_body text;

ALTER TABLE llm_requests_metadata_keys
  ADD COLUMN IF NOT EXISTS display_name text,
  ADD COLUMN IF NOT EXISTS key_type text DEFAULT 'string',
  ADD COLUMN IF NOT EXISTS is_required boolean DEFAULT false,
  ADD COLUMN IF NOT EXISTS activated_at timestamptz,
  ADD COLUMN IF NOT EXISTS request_count bigint NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS last_seen_at timestamptz,
  ADD COLUMN IF NOT EXISTS approx_cardinality integer NOT NULL DEFAULT 0;


-- ## Types
-- Views forbid a change of the columns that they show. This block drops them and creates them again with their owners,
-- grants, options and comments: the innermost first, the outermost last.

DO $$
DECLARE
  found record;
  privilege record;
  statements text[] := '{}';
  statement text;
BEGIN
  FOR found IN
    WITH RECURSIVE ours (oid) AS (
      VALUES ('llm_requests'::regclass), ('api_keys'::regclass), ('llm_requests_metadata_keys'::regclass)
    ), dependent (view_oid, depth) AS (
      SELECT r.ev_class, 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN ours ON ours.oid = d.refobjid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND r.ev_class <> d.refobjid
      UNION
      SELECT r.ev_class, depth + 1 FROM dependent JOIN pg_depend d ON d.refobjid = view_oid
        JOIN pg_rewrite r ON r.oid = d.objid AND r.ev_class <> view_oid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND depth < 100
    )
    SELECT c.oid, c.oid::regclass::text AS name, c.relkind, c.relacl, c.relowner, c.reloptions,
           pg_get_viewdef(c.oid) AS body, obj_description(c.oid, 'pg_class') AS remark
    FROM dependent JOIN pg_class c ON c.oid = view_oid
    GROUP BY c.oid, c.relkind, c.relacl, c.relowner, c.reloptions
    ORDER BY max(depth)
  LOOP
    IF found.relkind <> 'v' THEN
      RAISE EXCEPTION 'the materialized view % depends on llm_requests', found.name
        USING HINT = 'Drop it, apply schema.sql, and create it again.';
    END IF;
    statements := statements || format('CREATE VIEW %s %s AS %s', found.name,
      'WITH (' || array_to_string(found.reloptions, ', ') || ')', found.body);
    statements := statements || format('ALTER VIEW %s OWNER TO %I', found.name, pg_get_userbyid(found.relowner));
    FOR privilege IN
      SELECT a.privilege_type, a.is_grantable, r.rolname
      FROM aclexplode(found.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    LOOP
      statements := statements || format('GRANT %s ON %s TO %s %s', privilege.privilege_type, found.name,
        coalesce(quote_ident(privilege.rolname), 'PUBLIC'),
        CASE WHEN privilege.is_grantable THEN 'WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    IF found.remark IS NOT NULL THEN
      statements := statements || format('COMMENT ON VIEW %s IS %L', found.name, found.remark);
    END IF;
    EXECUTE format('DROP VIEW IF EXISTS %s CASCADE', found.name);
  END LOOP;

  -- One ALTER TABLE, so that a large table is rewritten once.
  --
  -- Costs above 0 become 'estimated': the Go gateway knew neither price tiers nor the cost of cache writes, and truncated
  -- at 8 digits. It wrote 0 where it had no price or saw no usage: those rows become 'unpriced', and their cost columns
  -- stay as they are, so that totals which somebody took earlier do not change. Providers do not bill an error: 'free'.
  ALTER TABLE llm_requests
    ALTER COLUMN provider_api_key_hash TYPE text,
    ALTER COLUMN provider_api_key_alias TYPE text,
    ALTER COLUMN provider TYPE text,
    ALTER COLUMN model TYPE text,
    ALTER COLUMN request_path TYPE text,
    ALTER COLUMN request_method TYPE text,
    ALTER COLUMN error_message TYPE text,
    ALTER COLUMN s3_key TYPE text,
    ALTER COLUMN input_tokens TYPE bigint USING coalesce(input_tokens, 0),
    ALTER COLUMN input_tokens SET DEFAULT 0,
    ALTER COLUMN input_tokens SET NOT NULL,
    ALTER COLUMN output_tokens TYPE bigint USING coalesce(output_tokens, 0),
    ALTER COLUMN output_tokens SET DEFAULT 0,
    ALTER COLUMN output_tokens SET NOT NULL,
    ALTER COLUMN cached_tokens TYPE bigint USING coalesce(cached_tokens, 0),
    ALTER COLUMN cached_tokens SET DEFAULT 0,
    ALTER COLUMN cached_tokens SET NOT NULL,
    ALTER COLUMN cache_creation_tokens TYPE bigint USING coalesce(cache_creation_tokens, 0),
    ALTER COLUMN cache_creation_tokens SET DEFAULT 0,
    ALTER COLUMN cache_creation_tokens SET NOT NULL,
    ALTER COLUMN input_cost TYPE numeric(20,12),
    ALTER COLUMN input_cost DROP NOT NULL,
    ALTER COLUMN input_cost DROP DEFAULT,
    ALTER COLUMN output_cost TYPE numeric(20,12),
    ALTER COLUMN output_cost DROP NOT NULL,
    ALTER COLUMN output_cost DROP DEFAULT,
    ALTER COLUMN total_cost TYPE numeric(20,12),
    ALTER COLUMN total_cost DROP NOT NULL,
    ALTER COLUMN total_cost DROP DEFAULT,
    ALTER COLUMN cost_status TYPE text USING CASE
      WHEN total_cost > 0 THEN 'estimated'
      WHEN status_code >= 400 AND input_tokens = 0 AND output_tokens = 0 THEN 'free'
      ELSE 'unpriced' END,
    ALTER COLUMN usage_source TYPE text USING CASE
      WHEN input_tokens > 0 OR output_tokens > 0 THEN 'reported' ELSE 'none' END,
    ALTER COLUMN indexed_metadata DROP DEFAULT,
    ALTER COLUMN created_at TYPE timestamptz USING coalesce(created_at, responded_at),
    ALTER COLUMN created_at SET DEFAULT now(),
    ALTER COLUMN created_at SET NOT NULL;
  -- Without reading a row again.
  ALTER TABLE api_keys ALTER COLUMN key_hash TYPE text, ALTER COLUMN name TYPE text;
  ALTER TABLE llm_requests_metadata_keys
    ALTER COLUMN key_name TYPE text,
    ALTER COLUMN display_name TYPE text,
    ALTER COLUMN key_type TYPE text,
    ALTER COLUMN key_type SET DEFAULT 'string';

  FOREACH statement IN ARRAY statements LOOP EXECUTE statement; END LOOP;
END $$;


-- ## Constraints and indexes

DO $$
DECLARE
  found record;
BEGIN
  -- A row keeps the id of a key that was deleted, so llm_requests has no foreign key to api_keys.
  FOR found IN
    SELECT conname FROM pg_constraint
    WHERE conrelid = 'llm_requests'::regclass AND contype = 'f' AND confrelid = 'api_keys'::regclass
  LOOP
    EXECUTE format('ALTER TABLE llm_requests DROP CONSTRAINT %I', found.conname);
  END LOOP;

  -- The metadata names of a key are deleted with it.
  FOR found IN
    SELECT conname FROM pg_constraint
    WHERE conrelid = 'llm_requests_metadata_keys'::regclass AND contype = 'f' AND confrelid = 'api_keys'::regclass
  LOOP
    EXECUTE format('ALTER TABLE llm_requests_metadata_keys DROP CONSTRAINT %I', found.conname);
  END LOOP;
END $$;

ALTER TABLE llm_requests_metadata_keys ADD CONSTRAINT llm_requests_metadata_keys_majordomo_api_key_id_fkey
  FOREIGN KEY (majordomo_api_key_id) REFERENCES api_keys (id) ON DELETE CASCADE;

-- Half of the table's size, and no report reads it: a provider credential is looked for within a period.
DROP INDEX IF EXISTS idx_llm_requests_provider_key_time;
$migration$;
    EXECUTE $migration$
-- Runs only on a database of the Go gateway, after go.sql, which is older than the second version of the Go gateway. It brings
-- what its rows say to where reports look for it, and makes place for a table of ours.

-- ## Names of metadata
-- The Go gateway stores them in lower case (`user-id`), and reports look for `User-Id`.

UPDATE llm_requests SET
  raw_metadata = (
    SELECT jsonb_object_agg((SELECT string_agg(upper(left(part, 1)) || lower(substr(part, 2)), '-' ORDER BY place)
      FROM regexp_split_to_table(key, '-') WITH ORDINALITY AS parts (part, place)), value)
    FROM jsonb_each(raw_metadata)),
  indexed_metadata = CASE WHEN jsonb_typeof(indexed_metadata) = 'object' AND indexed_metadata <> '{}' THEN (
    SELECT jsonb_object_agg((SELECT string_agg(upper(left(part, 1)) || lower(substr(part, 2)), '-' ORDER BY place)
      FROM regexp_split_to_table(key, '-') WITH ORDINALITY AS parts (part, place)), value)
    FROM jsonb_each(indexed_metadata)) ELSE indexed_metadata END
WHERE jsonb_typeof(raw_metadata) = 'object' AND raw_metadata <> '{}';

UPDATE llm_requests_metadata_keys k SET key_name = n.name
FROM (
  SELECT majordomo_api_key_id AS of, key_name, (SELECT string_agg(upper(left(part, 1)) || lower(substr(part, 2)), '-' ORDER BY place)
      FROM regexp_split_to_table(key_name, '-') WITH ORDINALITY AS parts (part, place)) AS name
  FROM llm_requests_metadata_keys
) n
WHERE k.majordomo_api_key_id = n.of AND k.key_name = n.key_name AND n.name <> n.key_name AND NOT EXISTS (
  SELECT FROM llm_requests_metadata_keys o WHERE o.majordomo_api_key_id = n.of AND o.key_name = n.name);


-- ## The first version
-- Its foreign keys to tables that have no place here would not let the table be partitioned, or requests be pruned. The ids stay.

DO $$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT conname FROM pg_constraint
    WHERE conrelid = 'llm_requests'::regclass AND contype = 'f' AND confrelid IN (to_regclass('proxy_keys'), to_regclass('users'))
  LOOP
    EXECUTE format('ALTER TABLE llm_requests DROP CONSTRAINT %I', found.conname);
  END LOOP;
END $$;


-- ## The second version

DO $$
DECLARE
  has_trace boolean := EXISTS (SELECT FROM pg_attribute
    WHERE attrelid = 'llm_requests'::regclass AND attname = 'trace_id' AND NOT attisdropped);
  has_cached_cost boolean := EXISTS (SELECT FROM pg_attribute
    WHERE attrelid = 'llm_requests'::regclass AND attname = 'cached_cost' AND NOT attisdropped);
  has_original boolean := EXISTS (SELECT FROM pg_attribute
    WHERE attrelid = 'llm_requests'::regclass AND attname = 'original_model' AND NOT attisdropped);
  has_routing boolean := EXISTS (SELECT FROM pg_attribute
    WHERE attrelid = 'llm_requests'::regclass AND attname = 'routing_original_model' AND NOT attisdropped);
  found record;
BEGIN
  -- Runs of agents, which are metadata here.
  IF has_trace THEN
    UPDATE llm_requests SET raw_metadata = coalesce(raw_metadata, '{}') || jsonb_strip_nulls(jsonb_build_object(
      'Trace-Id', trace_id, 'Span-Path', nullif(span_path, ''), 'Span-Name', nullif(span_name, model)))
    WHERE trace_id IS NOT NULL;
  END IF;

  -- input_cost is the cost of all input here. The columns of its parts stay for the view llm_requests_compat; rows of ours have none.
  IF has_cached_cost THEN
    ALTER TABLE llm_requests
      ALTER COLUMN cached_cost DROP NOT NULL, ALTER COLUMN cached_cost DROP DEFAULT,
      ALTER COLUMN cache_creation_cost DROP NOT NULL, ALTER COLUMN cache_creation_cost DROP DEFAULT;
    UPDATE llm_requests SET input_cost = input_cost + cached_cost + cache_creation_cost
    WHERE cached_cost <> 0 OR cache_creation_cost <> 0;
  END IF;

  IF has_original THEN
    UPDATE llm_requests SET requested_model = original_model WHERE original_model IS NOT NULL;
  END IF;
  IF has_routing THEN
    UPDATE llm_requests SET requested_model = routing_original_model WHERE routing_original_model IS NOT NULL;
  END IF;

  ALTER TABLE llm_requests_metadata_keys ALTER COLUMN created_at DROP NOT NULL;
  BEGIN
    ALTER TABLE llm_requests ALTER COLUMN cache_creation_1h_tokens TYPE bigint;
  EXCEPTION WHEN feature_not_supported THEN
    -- A view of somebody shows the column, which then stays as it is.
    NULL;
  END;

  -- The keys of providers are encrypted in another way here, so those of the Go gateway stay in a table beside ours.
  IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('provider_api_keys') AND attname = 'encrypted_key') THEN
    FOR found IN SELECT conname FROM pg_constraint WHERE conrelid = 'provider_api_keys'::regclass AND contype IN ('p', 'u') LOOP
      EXECUTE format('ALTER TABLE provider_api_keys RENAME CONSTRAINT %I TO %I', found.conname, 'go_' || found.conname);
    END LOOP;
    ALTER TABLE provider_api_keys RENAME TO go_provider_api_keys;
  END IF;
END $$;
$migration$;
  END IF;

  IF has_requests THEN
    EXECUTE $migration$
-- Runs on a database from before versions existed, and after go.sql on one of the Go gateway: before 0001, which creates
-- the tables, indexes, functions and triggers that are still missing and replaces functions and triggers.

-- Writers wait until the migration has ended. Gateways keep their rows in the journal meanwhile.
LOCK TABLE llm_requests IN ACCESS EXCLUSIVE MODE;

ALTER TABLE IF EXISTS majordomo_gateways ADD COLUMN IF NOT EXISTS heard bigint NOT NULL DEFAULT 0;
ALTER TABLE IF EXISTS majordomo_schema
  ADD COLUMN IF NOT EXISTS pruned_before timestamptz,
  ADD COLUMN IF NOT EXISTS folded_before date;

-- Was only ever used by a migration.
DROP FUNCTION IF EXISTS majordomo_fill_hourly_keys();

-- An index that has the name of one of ours and another definition: 0001 creates the right one.
DO $$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT i.indexrelid::regclass AS name FROM pg_index i JOIN (VALUES
      ('idx_llm_requests_requested_at', 'USING brin (requested_at) WITH (autosummarize=''on'')'),
      ('idx_llm_requests_created_at', 'USING btree (created_at)'),
      ('idx_llm_requests_majordomo_key_time', 'USING btree (majordomo_api_key_id, requested_at DESC)'),
      ('idx_llm_requests_indexed_metadata_gin', 'USING gin (indexed_metadata)'),
      ('idx_llm_requests_metadata_keys_active', 'USING btree (majordomo_api_key_id) WHERE is_active')
    ) AS wanted (name, definition) ON i.indexrelid = to_regclass(wanted.name)
    WHERE NOT i.indisvalid OR substring(pg_get_indexdef(i.indexrelid) FROM 'USING .*') <> wanted.definition
  LOOP
    EXECUTE format('DROP INDEX %s', found.name);
  END LOOP;
END $$;
$migration$;
  END IF;

  EXECUTE $migration$
-- 0001 foundation
-- breaking: no
--
-- Creates the whole schema. It also runs on a database from before versions existed, after the files in before/ have
-- prepared it; that is why every statement says IF NOT EXISTS or OR REPLACE.


-- ## The schema itself

-- The migrations that were applied. Every program reads this table first, whatever role it has.
CREATE TABLE IF NOT EXISTS majordomo_migrations (
  version     integer PRIMARY KEY,
  name        text NOT NULL,
  breaking    boolean NOT NULL,                      -- programs that do not know this version must not use the database
  applied_at  timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON majordomo_migrations TO PUBLIC;

-- Facts about the database as a whole, in one row.
CREATE TABLE IF NOT EXISTS majordomo_schema (
  one_row        boolean PRIMARY KEY DEFAULT true CHECK (one_row),
  digest         text,                               -- for programs from before versions: see below
  applied_at     timestamptz NOT NULL DEFAULT now(),
  pruned_before  timestamptz,                        -- a midnight (UTC): requests before it may have been deleted
  folded_before  date                                -- a day (UTC): days before it are in llm_usage_metadata_weekly
);

-- A program from before versions (2026-11) compares this digest with that of its own schema.sql. When both are equal it
-- changes nothing, so it can go on working on a database of this version.
INSERT INTO majordomo_schema (digest, folded_before)
VALUES ('e03f6016578e65cb48da70fe618a5c4f001201019d5dc2c7741228765f882202', (now() AT TIME ZONE 'UTC')::date)
ON CONFLICT (one_row) DO UPDATE SET digest = excluded.digest, applied_at = now();


-- ## API keys and requests

CREATE TABLE IF NOT EXISTS api_keys (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  key_hash       text NOT NULL UNIQUE,               -- SHA-256 of the key in hex; the key itself is stored nowhere
  name           text NOT NULL,
  description    text,
  is_active      boolean NOT NULL DEFAULT true,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now(),
  revoked_at     timestamptz,                        -- a key is accepted while it is active and this is empty
  last_used_at   timestamptz,
  request_count  bigint NOT NULL DEFAULT 0
);

-- One row for each request that the gateway answered after it had identified the caller.
--
-- majordomo_api_key_id has no foreign key on purpose. A key that somebody deletes by hand while rows still wait to be
-- written must not make those rows fail, and rows keep the id of their key forever.
CREATE TABLE IF NOT EXISTS llm_requests (
  id                        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  majordomo_api_key_id      uuid,
  provider_api_key_hash     text,                    -- SHA-256 of the provider credential that was sent
  provider_api_key_alias    text,
  provider                  text NOT NULL,
  model                     text NOT NULL,           -- the model that answered
  requested_model           text,                    -- the model that the client asked for
  request_path              text NOT NULL,
  request_method            text NOT NULL,
  requested_at              timestamptz NOT NULL,
  responded_at              timestamptz NOT NULL,
  response_time_ms          integer NOT NULL,
  first_byte_ms             integer,                 -- until the provider's first byte
  input_tokens              bigint NOT NULL DEFAULT 0, -- all input
  cached_tokens             bigint NOT NULL DEFAULT 0, -- the part of the input that was read from the provider's cache
  cache_creation_tokens     bigint NOT NULL DEFAULT 0, -- the part of the input that was written to the provider's cache
  cache_creation_1h_tokens  bigint NOT NULL DEFAULT 0, -- the part of the cache writes that is billed at the 1 h rate
  output_tokens             bigint NOT NULL DEFAULT 0, -- all output, including reasoning
  reasoning_tokens          bigint NOT NULL DEFAULT 0, -- the part of the output that is reasoning
  input_cost                numeric(20,12),          -- USD; NULL: not known, which is never 0
  output_cost               numeric(20,12),
  total_cost                numeric(20,12),
  cost_status               text NOT NULL DEFAULT 'unpriced', -- exact, estimated, unpriced, free, inconsistent
  price                     jsonb,                   -- the price certificate: rates, sources, the calculation
  usage                     jsonb,                   -- the provider's own usage object
  usage_source              text NOT NULL DEFAULT 'none', -- reported, estimated, none
  status_code               integer NOT NULL,
  error_message             text,
  streamed                  boolean NOT NULL DEFAULT false,
  outcome                   text NOT NULL DEFAULT 'complete', -- or client_left, upstream_broke, gateway_died, gap
  raw_metadata              jsonb,                   -- every X-Majordomo-* header, with names in Train-Case
  indexed_metadata          jsonb,                   -- those of them whose names are active
  request_body              text,
  response_body             text,
  s3_key                    text,
  created_at                timestamptz NOT NULL DEFAULT now() -- when the request ended
);

-- The metadata names that each API key has used, and which of them are active (indexed, and counted by value).
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

-- What requests cost before and after `pricing reprice`. Rows are only ever added.
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

-- The gateways that cache keys. A revocation waits until each of them has dropped the key (src/database/gateways.ts).
CREATE SEQUENCE IF NOT EXISTS majordomo_questions;
CREATE TABLE IF NOT EXISTS majordomo_gateways (
  id       uuid PRIMARY KEY,
  seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(), -- the last time that its listener was known to be connected
  heard    bigint NOT NULL DEFAULT 0                       -- the latest number of majordomo_questions that it has answered
);


-- ## Rollups: the totals that reports read
--
-- They go by created_at, in UTC. Every request counts once, whatever wrote it. A DELETE does not subtract, so that requests
-- can be pruned while their totals stay; TRUNCATE empties the totals too. Rows with the outcome 'gap' are not requests and
-- do not count. Providers, models and metadata values are truncated to 255 characters. The key of requests without an API
-- key is all zeros.

-- Totals by hour, provider and model.
CREATE TABLE IF NOT EXISTS llm_usage_hourly (
  hour timestamptz NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  requests bigint NOT NULL DEFAULT 0, errors bigint NOT NULL DEFAULT 0, input_tokens numeric NOT NULL DEFAULT 0,
  cached_tokens numeric NOT NULL DEFAULT 0, cache_creation_tokens numeric NOT NULL DEFAULT 0,
  cache_creation_1h_tokens numeric NOT NULL DEFAULT 0, output_tokens numeric NOT NULL DEFAULT 0,
  reasoning_tokens numeric NOT NULL DEFAULT 0, input_cost numeric NOT NULL DEFAULT 0,
  output_cost numeric NOT NULL DEFAULT 0, total_cost numeric NOT NULL DEFAULT 0,
  without_cost bigint NOT NULL DEFAULT 0, exact bigint NOT NULL DEFAULT 0, estimated bigint NOT NULL DEFAULT 0,
  unpriced bigint NOT NULL DEFAULT 0, free bigint NOT NULL DEFAULT 0, inconsistent bigint NOT NULL DEFAULT 0,
  response_time_ms numeric NOT NULL DEFAULT 0,
  PRIMARY KEY (hour, provider, model)
);

-- Totals by hour and API key: the hours by which a day of another time zone differs from a day of UTC.
CREATE TABLE IF NOT EXISTS llm_usage_hourly_keys (
  hour timestamptz NOT NULL,
  majordomo_api_key_id uuid NOT NULL,
  requests bigint NOT NULL DEFAULT 0, errors bigint NOT NULL DEFAULT 0, input_tokens numeric NOT NULL DEFAULT 0,
  cached_tokens numeric NOT NULL DEFAULT 0, cache_creation_tokens numeric NOT NULL DEFAULT 0,
  cache_creation_1h_tokens numeric NOT NULL DEFAULT 0, output_tokens numeric NOT NULL DEFAULT 0,
  reasoning_tokens numeric NOT NULL DEFAULT 0, input_cost numeric NOT NULL DEFAULT 0,
  output_cost numeric NOT NULL DEFAULT 0, total_cost numeric NOT NULL DEFAULT 0,
  without_cost bigint NOT NULL DEFAULT 0, exact bigint NOT NULL DEFAULT 0, estimated bigint NOT NULL DEFAULT 0,
  unpriced bigint NOT NULL DEFAULT 0, free bigint NOT NULL DEFAULT 0, inconsistent bigint NOT NULL DEFAULT 0,
  response_time_ms numeric NOT NULL DEFAULT 0,
  PRIMARY KEY (hour, majordomo_api_key_id)
);

-- Totals by day, API key, provider and model.
CREATE TABLE IF NOT EXISTS llm_usage_daily (
  day date NOT NULL,
  majordomo_api_key_id uuid NOT NULL,
  provider text NOT NULL,
  model text NOT NULL,
  requests bigint NOT NULL DEFAULT 0, errors bigint NOT NULL DEFAULT 0, input_tokens numeric NOT NULL DEFAULT 0,
  cached_tokens numeric NOT NULL DEFAULT 0, cache_creation_tokens numeric NOT NULL DEFAULT 0,
  cache_creation_1h_tokens numeric NOT NULL DEFAULT 0, output_tokens numeric NOT NULL DEFAULT 0,
  reasoning_tokens numeric NOT NULL DEFAULT 0, input_cost numeric NOT NULL DEFAULT 0,
  output_cost numeric NOT NULL DEFAULT 0, total_cost numeric NOT NULL DEFAULT 0,
  without_cost bigint NOT NULL DEFAULT 0, exact bigint NOT NULL DEFAULT 0, estimated bigint NOT NULL DEFAULT 0,
  unpriced bigint NOT NULL DEFAULT 0, free bigint NOT NULL DEFAULT 0, inconsistent bigint NOT NULL DEFAULT 0,
  response_time_ms numeric NOT NULL DEFAULT 0,
  PRIMARY KEY (day, majordomo_api_key_id, provider, model)
);

-- Totals by day and value of an active metadata name. After 10,000 values in a day, further ones are '(other)'.
CREATE TABLE IF NOT EXISTS llm_usage_metadata (
  name text NOT NULL,
  day date NOT NULL,
  value text NOT NULL,
  requests bigint NOT NULL DEFAULT 0, errors bigint NOT NULL DEFAULT 0, input_tokens numeric NOT NULL DEFAULT 0,
  cached_tokens numeric NOT NULL DEFAULT 0, cache_creation_tokens numeric NOT NULL DEFAULT 0,
  cache_creation_1h_tokens numeric NOT NULL DEFAULT 0, output_tokens numeric NOT NULL DEFAULT 0,
  reasoning_tokens numeric NOT NULL DEFAULT 0, input_cost numeric NOT NULL DEFAULT 0,
  output_cost numeric NOT NULL DEFAULT 0, total_cost numeric NOT NULL DEFAULT 0,
  without_cost bigint NOT NULL DEFAULT 0, exact bigint NOT NULL DEFAULT 0, estimated bigint NOT NULL DEFAULT 0,
  unpriced bigint NOT NULL DEFAULT 0, free bigint NOT NULL DEFAULT 0, inconsistent bigint NOT NULL DEFAULT 0,
  response_time_ms numeric NOT NULL DEFAULT 0,
  PRIMARY KEY (name, day, value)
);

-- The totals of llm_usage_metadata by week (its Monday), for the days before majordomo_schema.folded_before.
CREATE TABLE IF NOT EXISTS llm_usage_metadata_weekly (
  name text NOT NULL,
  week date NOT NULL,
  value text NOT NULL,
  requests bigint NOT NULL DEFAULT 0, errors bigint NOT NULL DEFAULT 0, input_tokens numeric NOT NULL DEFAULT 0,
  cached_tokens numeric NOT NULL DEFAULT 0, cache_creation_tokens numeric NOT NULL DEFAULT 0,
  cache_creation_1h_tokens numeric NOT NULL DEFAULT 0, output_tokens numeric NOT NULL DEFAULT 0,
  reasoning_tokens numeric NOT NULL DEFAULT 0, input_cost numeric NOT NULL DEFAULT 0,
  output_cost numeric NOT NULL DEFAULT 0, total_cost numeric NOT NULL DEFAULT 0,
  without_cost bigint NOT NULL DEFAULT 0, exact bigint NOT NULL DEFAULT 0, estimated bigint NOT NULL DEFAULT 0,
  unpriced bigint NOT NULL DEFAULT 0, free bigint NOT NULL DEFAULT 0, inconsistent bigint NOT NULL DEFAULT 0,
  response_time_ms numeric NOT NULL DEFAULT 0,
  PRIMARY KEY (name, week, value)
);

-- How many distinct values of a metadata name a day has.
CREATE TABLE IF NOT EXISTS llm_usage_metadata_values (
  name             text NOT NULL,
  day              date NOT NULL,
  distinct_values  integer NOT NULL DEFAULT 0,
  PRIMARY KEY (name, day)
);

-- The state of each metadata name that is or was active. New requests are counted from the moment an API key activates the
-- name. Only `metadata activate` goes back to the earlier requests, and records here when it has finished.
CREATE TABLE IF NOT EXISTS llm_usage_metadata_names (
  name       text PRIMARY KEY,
  every_key  boolean NOT NULL DEFAULT false,         -- active for all keys, including future ones
  summed     boolean NOT NULL DEFAULT false,         -- llm_usage_metadata counts every request that has the name
  indexed    boolean NOT NULL DEFAULT false          -- indexed_metadata has the name for every request that has it
);


-- ## Indexes. Each one makes every written row more expensive.

-- A period in a table that grows in the order of time. It takes 0.3 MB where a B-tree takes 110 MB at five million rows.
CREATE INDEX IF NOT EXISTS idx_llm_requests_requested_at ON llm_requests USING brin (requested_at) WITH (autosummarize = on);
-- The newest rows (usage requests, usage tail). New rows go to its right edge.
CREATE INDEX IF NOT EXISTS idx_llm_requests_created_at ON llm_requests (created_at);
-- The newest rows of one key, however rarely the key is used. Reports by key read the rollups.
CREATE INDEX IF NOT EXISTS idx_llm_requests_majordomo_key_time ON llm_requests (majordomo_api_key_id, requested_at DESC);
-- Rows by the value of an active metadata name: indexed_metadata @> '{"User-Id": "42"}'.
CREATE INDEX IF NOT EXISTS idx_llm_requests_indexed_metadata_gin ON llm_requests USING gin (indexed_metadata);
-- The active names, of which there are few, for each batch that is written.
CREATE INDEX IF NOT EXISTS idx_llm_requests_metadata_keys_active
  ON llm_requests_metadata_keys (majordomo_api_key_id) WHERE is_active;


-- ## Functions of triggers: notifications about API keys
--
-- The payload is the hash of the key, or '*' for all keys. Gateways hear of every change, whether it comes from
-- `keys revoke`, from psql or from another program.

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


-- ## Functions of triggers: counting
--
-- The triggers run once for each statement and see the rows that were really written. A batch that is sent twice
-- (ON CONFLICT DO NOTHING) counts once, and rows of any other program count too.

-- >>> counting functions: generated by `npm run schema`, see README.md

-- Adds new requests to the rollup tables, to their API keys and to the metadata names that they carry.
CREATE OR REPLACE FUNCTION majordomo_count_added() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
      coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
    FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
        coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
      FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms;
  END IF;

  UPDATE api_keys k SET request_count = k.request_count + u.requests, last_used_at = greatest(k.last_used_at, u.last_used_at)
  FROM (SELECT majordomo_api_key_id, count(*) AS requests, max(requested_at) AS last_used_at FROM added GROUP BY 1) AS u
  WHERE k.id = u.majordomo_api_key_id;

  -- Clients choose the names, so each key may have at most 1,000 of them.
  IF EXISTS (SELECT FROM added WHERE jsonb_typeof(raw_metadata) = 'object') THEN
    INSERT INTO llm_requests_metadata_keys AS m
      (majordomo_api_key_id, key_name, request_count, last_seen_at, is_active, activated_at)
    SELECT u.*, n.name IS NOT NULL, CASE WHEN n.name IS NOT NULL THEN now() END FROM (
      SELECT majordomo_api_key_id, left(name, 255) AS name, count(*) AS requests, max(requested_at) AS last_seen_at
      FROM (SELECT majordomo_api_key_id, requested_at,
              jsonb_object_keys(CASE WHEN jsonb_typeof(raw_metadata) = 'object' THEN raw_metadata END) AS name
            FROM added) AS names
      GROUP BY 1, 2) AS u
    JOIN api_keys k ON k.id = u.majordomo_api_key_id
    LEFT JOIN llm_usage_metadata_names n ON n.name = u.name AND n.every_key
    WHERE EXISTS (
        SELECT FROM llm_requests_metadata_keys o
        WHERE (o.majordomo_api_key_id, o.key_name) = (u.majordomo_api_key_id, u.name))
      OR (SELECT count(*) FROM llm_requests_metadata_keys o WHERE o.majordomo_api_key_id = u.majordomo_api_key_id) < 1000
    ON CONFLICT (majordomo_api_key_id, key_name) DO UPDATE
      SET request_count = m.request_count + excluded.request_count,
          last_seen_at = greatest(m.last_seen_at, excluded.last_seen_at);
  END IF;
  RETURN NULL;
END $$;

-- Replaces what changed requests (such as repriced ones) count for in the rollup tables.
CREATE OR REPLACE FUNCTION majordomo_count_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- A statement that changes many rows but no counted column (metadata activate, prune) turns this off.
  IF current_setting('majordomo.same_sums', true) = 'on' THEN RETURN NULL; END IF;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      coalesce(sum(sign), 0) AS requests,
      coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died')), 0) AS errors,
      coalesce(sum(sign * input_tokens), 0) AS input_tokens, coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
      coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(sign * output_tokens), 0) AS output_tokens,
      coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(sign * input_cost), 0) AS input_cost, coalesce(sum(sign * output_cost), 0) AS output_cost,
      coalesce(sum(sign * total_cost), 0) AS total_cost,
      coalesce(sum(sign) FILTER (WHERE total_cost IS NULL), 0) AS without_cost,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
      coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms
    FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        coalesce(sum(sign), 0) AS requests,
        coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died')), 0) AS errors,
        coalesce(sum(sign * input_tokens), 0) AS input_tokens,
        coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
        coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(sign * output_tokens), 0) AS output_tokens,
        coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(sign * input_cost), 0) AS input_cost, coalesce(sum(sign * output_cost), 0) AS output_cost,
        coalesce(sum(sign * total_cost), 0) AS total_cost,
        coalesce(sum(sign) FILTER (WHERE total_cost IS NULL), 0) AS without_cost,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
        coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms
      FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
        UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms;
  END IF;
  RETURN NULL;
END $$;

-- Rebuilds the rollup tables from the requests, from the day (UTC) of `since` on, for example after a restore without
-- triggers. Earlier days keep their totals, and so do days whose requests were pruned.
CREATE OR REPLACE FUNCTION majordomo_count_again(since timestamptz DEFAULT '-infinity') RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  first_day date := CASE WHEN since = '-infinity' THEN '-infinity'::date ELSE (since AT TIME ZONE 'UTC')::date END;
  start timestamptz := CASE WHEN since = '-infinity' THEN since ELSE date_trunc('day', since, 'UTC') END;
  first_weekly_day date := first_day;
  pruned timestamptz := (SELECT pruned_before FROM majordomo_schema);
BEGIN
  IF pruned > start THEN
    start := pruned;
    first_day := (pruned AT TIME ZONE 'UTC')::date;
  END IF;
  LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE; -- no request may come between DELETE and INSERT
  DELETE FROM llm_usage_hourly WHERE hour >= start;
  DELETE FROM llm_usage_hourly_keys WHERE hour >= start;
  DELETE FROM llm_usage_daily WHERE day >= first_day;
  DELETE FROM llm_usage_metadata WHERE day >= first_day;
  DELETE FROM llm_usage_metadata_values WHERE day >= first_day;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
      coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
    FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
        coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
      FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms;
  END IF;
  PERFORM majordomo_fold_again(first_weekly_day);
END $$;

-- Rebuilds the totals of one metadata name on one day (UTC) from that day's requests, and returns their number. It reads
-- the requests before other writers have to wait. If some requests of that day changed in the meantime, it reads them once
-- more while the writers wait: each such change makes new row versions in llm_usage_daily, which `before` identifies.
CREATE OR REPLACE FUNCTION majordomo_count_name(wanted text, on_day date) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  totals json;
  before text;
  after text;
  counted bigint;
  stored integer;
BEGIN
  IF on_day::timestamp AT TIME ZONE 'UTC' < (SELECT pruned_before FROM majordomo_schema) THEN RETURN 0; END IF;
  FOR attempt IN 1..2 LOOP
    before := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    WITH cells AS (
      SELECT left(raw_metadata ->> wanted, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
        coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
      FROM llm_requests
      WHERE created_at >= on_day::timestamp AT TIME ZONE 'UTC' AND created_at < (on_day + 1)::timestamp AT TIME ZONE 'UTC'
        AND outcome <> 'gap' AND raw_metadata ->> wanted IS NOT NULL
      GROUP BY 1
    ), placed AS (
      SELECT *, CASE WHEN row_number() OVER (ORDER BY requests DESC, value) <= 10000 THEN value ELSE '(other)' END AS place
      FROM cells
    ), places AS (
      SELECT on_day AS day, wanted AS name, place AS value,
        sum(requests) AS requests, sum(errors) AS errors, sum(input_tokens) AS input_tokens,
        sum(cached_tokens) AS cached_tokens, sum(cache_creation_tokens) AS cache_creation_tokens,
        sum(cache_creation_1h_tokens) AS cache_creation_1h_tokens, sum(output_tokens) AS output_tokens,
        sum(reasoning_tokens) AS reasoning_tokens, sum(input_cost) AS input_cost, sum(output_cost) AS output_cost,
        sum(total_cost) AS total_cost, sum(without_cost) AS without_cost, sum(exact) AS exact,
        sum(estimated) AS estimated, sum(unpriced) AS unpriced, sum(free) AS free, sum(inconsistent) AS inconsistent,
        sum(response_time_ms) AS response_time_ms
      FROM placed GROUP BY 3
    )
    SELECT json_agg(p) INTO totals FROM places p;
    PERFORM pg_advisory_xact_lock(7680, 2);
    after := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    EXIT WHEN after IS NOT DISTINCT FROM before;
  END LOOP;
  PERFORM majordomo_fold_days();
  DELETE FROM llm_usage_metadata WHERE (name, day) = (wanted, on_day);
  DELETE FROM llm_usage_metadata_values WHERE (name, day) = (wanted, on_day);
  WITH written AS (
    INSERT INTO llm_usage_metadata (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms
    FROM json_populate_recordset(NULL::llm_usage_metadata, totals)
    RETURNING value, requests
  )
  SELECT coalesce(sum(requests), 0), count(*) FILTER (WHERE value <> '(other)') INTO counted, stored FROM written;
  IF stored > 0 THEN
    INSERT INTO llm_usage_metadata_values (name, day, distinct_values) VALUES (wanted, on_day, stored);
  END IF;
  IF on_day < (SELECT folded_before FROM majordomo_schema) THEN
    PERFORM majordomo_fold_again(on_day, on_day + 1, wanted);
  END IF;
  RETURN counted;
END $$;

-- Adds the days that ended since the last call to their weeks: with the first batch of a day, and before a day is counted
-- again. The caller holds pg_advisory_xact_lock(7680, 2).
CREATE OR REPLACE FUNCTION majordomo_fold_days() RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  since date := (SELECT coalesce(folded_before, '-infinity') FROM majordomo_schema);
  until date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
  IF since >= until THEN RETURN; END IF;
  INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms)
  FROM llm_usage_metadata WHERE day >= since AND day < until GROUP BY 1, 2, 3
  ON CONFLICT (name, week, value) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms;
  UPDATE majordomo_schema SET folded_before = until;
END $$;

-- Rebuilds the weeks that have a day from `since` up to, but not including, `until`, for one metadata name or for all.
CREATE OR REPLACE FUNCTION majordomo_fold_again(since date, until date DEFAULT 'infinity', wanted text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  first_week date := date_trunc('week', since);
  next_week date := CASE WHEN until = 'infinity' THEN until ELSE date_trunc('week', until - 1)::date + 7 END;
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 2);
  DELETE FROM llm_usage_metadata_weekly
  WHERE week >= first_week AND week < next_week AND (wanted IS NULL OR name = wanted);
  INSERT INTO llm_usage_metadata_weekly (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms)
  FROM llm_usage_metadata
  WHERE day >= first_week AND day < least(next_week, (SELECT folded_before FROM majordomo_schema))
    AND (wanted IS NULL OR name = wanted)
  GROUP BY 1, 2, 3;
END $$;

-- <<< counting functions

-- Copies the active names of a row to indexed_metadata, unless the writer of the row has filled it.
CREATE OR REPLACE FUNCTION majordomo_index_metadata() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  NEW.indexed_metadata := (
    SELECT jsonb_object_agg(key_name, NEW.raw_metadata -> key_name) FROM (
      SELECT key_name FROM llm_requests_metadata_keys WHERE majordomo_api_key_id = NEW.majordomo_api_key_id AND is_active
      UNION ALL SELECT name FROM llm_usage_metadata_names WHERE every_key) AS active -- ALL: a name twice does no harm
    WHERE NEW.raw_metadata ? key_name);
  RETURN NEW;
END $$;

-- Removes the totals of a name that is no longer active for any key: without further requests they would be incomplete.
CREATE OR REPLACE FUNCTION majordomo_forget_names() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  WITH forgotten AS (
    DELETE FROM llm_usage_metadata_names n
    WHERE NOT every_key AND NOT EXISTS (SELECT FROM llm_requests_metadata_keys k WHERE k.key_name = n.name AND k.is_active)
    RETURNING name
  ), daily AS (
    DELETE FROM llm_usage_metadata m USING forgotten f WHERE m.name = f.name
  ), weekly AS (
    DELETE FROM llm_usage_metadata_weekly w USING forgotten f WHERE w.name = f.name
  )
  DELETE FROM llm_usage_metadata_values v USING forgotten f WHERE v.name = f.name;
  -- The requests of one more key are no longer indexed as they come.
  UPDATE llm_usage_metadata_names SET indexed = false WHERE indexed AND NOT every_key;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION majordomo_empty_sums() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  TRUNCATE llm_usage_hourly, llm_usage_hourly_keys, llm_usage_daily, llm_usage_metadata, llm_usage_metadata_weekly,
    llm_usage_metadata_values;
  UPDATE majordomo_schema SET pruned_before = NULL;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION majordomo_only_add() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% only takes new rows', TG_TABLE_NAME;
END $$;


-- ## Triggers

CREATE OR REPLACE TRIGGER majordomo_metadata BEFORE INSERT ON llm_requests
  FOR EACH ROW WHEN (NEW.raw_metadata IS NOT NULL AND NEW.indexed_metadata IS NULL) EXECUTE FUNCTION majordomo_index_metadata();
CREATE OR REPLACE TRIGGER majordomo_added AFTER INSERT ON llm_requests
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION majordomo_count_added();
CREATE OR REPLACE TRIGGER majordomo_changed AFTER UPDATE ON llm_requests
  REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION majordomo_count_changed();
CREATE OR REPLACE TRIGGER majordomo_emptied AFTER TRUNCATE ON llm_requests
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_empty_sums();
CREATE OR REPLACE TRIGGER majordomo_name_inactive AFTER UPDATE OF is_active OR DELETE ON llm_requests_metadata_keys
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_forget_names();
CREATE OR REPLACE TRIGGER majordomo_key_added AFTER INSERT OR DELETE ON api_keys
  FOR EACH ROW EXECUTE FUNCTION majordomo_tell_key();
-- Only these three columns, so that counting requests sends no notification.
CREATE OR REPLACE TRIGGER majordomo_key_changed AFTER UPDATE OF key_hash, is_active, revoked_at ON api_keys
  FOR EACH ROW EXECUTE FUNCTION majordomo_tell_key();
CREATE OR REPLACE TRIGGER majordomo_keys_emptied AFTER TRUNCATE ON api_keys
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_tell_all_keys();
CREATE OR REPLACE TRIGGER majordomo_only_add BEFORE UPDATE OR DELETE OR TRUNCATE ON llm_request_repricings
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_only_add();
$migration$;

  IF has_requests THEN
    EXECUTE $migration$
-- Runs on a database from before versions existed, after 0001. It fills the rollup tables that such a database did not
-- have, from the requests that are there. unversioned.sql has locked llm_requests, so no batch comes between.

DO $$
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 2);

  -- No rollups at all.
  IF EXISTS (SELECT FROM llm_requests) AND NOT EXISTS (SELECT FROM llm_usage_hourly) THEN
    PERFORM majordomo_count_again();
    INSERT INTO llm_usage_metadata_names (name, summed)
    SELECT DISTINCT key_name, true FROM llm_requests_metadata_keys WHERE is_active ON CONFLICT DO NOTHING;
  END IF;

  -- No hours of keys. Where a day has more than its requests (they were pruned), the difference goes into its first hour.
  IF EXISTS (SELECT FROM llm_usage_daily) AND NOT EXISTS (SELECT FROM llm_usage_hourly_keys) THEN
    INSERT INTO llm_usage_hourly_keys (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT date_trunc('hour', created_at, 'UTC'), coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000'),
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
      coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
    FROM llm_requests WHERE outcome <> 'gap' GROUP BY 1, 2;

    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT day::timestamp AT TIME ZONE 'UTC', majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM (
      SELECT day, majordomo_api_key_id,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms
      FROM llm_usage_daily
      UNION ALL
      SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id,
        -requests, -errors, -input_tokens, -cached_tokens, -cache_creation_tokens, -cache_creation_1h_tokens,
        -output_tokens, -reasoning_tokens, -input_cost, -output_cost, -total_cost, -without_cost, -exact, -estimated,
        -unpriced, -free, -inconsistent, -response_time_ms
      FROM llm_usage_hourly_keys
    ) AS rest
    GROUP BY 1, 2 HAVING sum(requests) > 0
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms;
  END IF;

  -- No weeks of metadata.
  IF (SELECT folded_before IS NULL FROM majordomo_schema) THEN
    PERFORM majordomo_fold_days();
  END IF;
END $$;
$migration$;
  END IF;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (1, 'foundation', false);
END $version$;


-- ## Version 2: dialect -----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 2 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0002 dialect
-- breaking: no

-- The API dialect by which the answer was metered, so that it can be metered and priced again. NULL: not known, which
-- holds for all rows from before this version.
ALTER TABLE llm_requests ADD COLUMN dialect text;
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (2, 'dialect', false);
END $version$;


-- ## Version 3: prices ------------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 3 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0003 prices
-- breaking: no

-- The changes of prices that gateways saw in the fetched price lists: one row for each change, whichever gateway saw it
-- first. Requests are priced as of their own time with them (src/database/price-history.ts).
CREATE TABLE llm_price_history (
  source      text NOT NULL,                         -- the price list: llm-prices.com, genai-prices, litellm
  provider    text NOT NULL,                         -- ids as the price book has them
  model       text NOT NULL,
  valid_from  timestamptz NOT NULL,                  -- the prices apply from here: as the list says, else when they were seen
  seen_at     timestamptz NOT NULL,                  -- when a gateway first saw the prices in the list
  prices      jsonb,                                 -- in the form of the list; NULL: the model is no longer listed
  revision    bigint GENERATED BY DEFAULT AS IDENTITY, -- grows with each change of this table
  PRIMARY KEY (source, provider, model, valid_from)
);

-- What the provider takes off its list prices for the requests of a key, in percent. NULL: nothing.
ALTER TABLE api_keys ADD COLUMN discount_percent numeric(8,6) CHECK (discount_percent > 0 AND discount_percent < 100);

-- Gateways cache the discount with the key, so they are notified of its changes as well.
CREATE OR REPLACE TRIGGER majordomo_key_changed
  AFTER UPDATE OF key_hash, is_active, revoked_at, discount_percent ON api_keys
  FOR EACH ROW EXECUTE FUNCTION majordomo_tell_key();
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (3, 'prices', false);
END $version$;


-- ## Version 4: jobs --------------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 4 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0004 jobs
-- breaking: no

-- Jobs: work that a provider does in the background, such as a background response or a batch. Its usage is in a later
-- answer, which can be fetched any number of times. src/database/ledger/jobs.ts writes these tables, in the transaction
-- that writes the rows of the same requests, and under pg_advisory_xact_lock(7680, 7).

-- One row for each job that was seen in an answer.
CREATE TABLE llm_jobs (
  provider                text NOT NULL,
  id                      text NOT NULL,             -- the provider's own id
  kind                    text NOT NULL,             -- response, batch, run, interaction, video
  created_by              uuid,                      -- the request that created it; NULL: no gateway of this database did
  majordomo_api_key_id    uuid,                      -- the key, alias, metadata and model of that request
  provider_api_key_alias  text,
  raw_metadata            jsonb,
  requested_model         text,
  created_at              timestamptz NOT NULL,      -- when it was created, or else first seen
  state                   text NOT NULL,             -- running, done, failed
  expected_items          bigint,                    -- the number of items that the provider bills; NULL: not known yet
  billed_items            bigint NOT NULL DEFAULT 0, -- the number of items that have been billed
  fetch_path              text,                      -- the path of the GET that shows what is not billed yet
  settled_at              timestamptz,               -- when everything that it costs was billed; NULL: it is pending
  PRIMARY KEY (provider, id)
);
CREATE INDEX llm_jobs_pending ON llm_jobs (created_at) WHERE settled_at IS NULL;

-- The files that contain the results of jobs.
CREATE TABLE llm_job_files (
  provider  text NOT NULL,
  file      text NOT NULL,
  job_id    text NOT NULL,
  PRIMARY KEY (provider, file)
);
CREATE INDEX llm_job_files_job ON llm_job_files (provider, job_id);

-- The billed items of jobs. The primary key is the guarantee that each item is billed once.
CREATE TABLE llm_job_items (
  provider    text NOT NULL,
  source      text NOT NULL,                         -- the job, or the file with its results
  item        text NOT NULL,                         -- the provider's id of the item; '' where the job is one piece of work
  seen_at     timestamptz NOT NULL DEFAULT now(),
  record      jsonb,                                 -- the row of an item whose job is not known; NULL: the item is billed
  PRIMARY KEY (provider, source, item)
);
CREATE INDEX llm_job_items_unbilled ON llm_job_items (seen_at) WHERE record IS NOT NULL;
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (4, 'jobs', false);
END $version$;


-- ## Version 5: gateways ----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 5 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0005 gateways
-- breaking: no

-- What `keys revoke` says about a gateway that does not answer. NULL: the row is of a program from before this version,
-- which accepts a key without limit while it cannot reach the database.
ALTER TABLE majordomo_gateways
  ADD COLUMN name text,                              -- host and process
  ADD COLUMN slot text,                              -- host and journal directory, which only one process has at a time
  ADD COLUMN offline_s integer;                      -- how long it accepts a key that it cannot check, in seconds
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (5, 'gateways', false);
END $version$;


-- ## Version 6: verified ----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 6 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0006 verified
-- breaking: no

-- The periods whose totals `verify` has proven, so that it does not read their requests again while nothing has changed.
CREATE TABLE majordomo_verified (
  period       text NOT NULL CHECK (period IN ('day', 'week')),
  starts       date NOT NULL,                          -- a day (UTC), or the Monday of a week
  requests     bigint NOT NULL,                        -- the rows of llm_requests on that day, gaps included; 0 for a week
  gaps         bigint NOT NULL,                        -- those of them with the outcome 'gap'
  dropped      bigint NOT NULL,                        -- the requests that these gaps stand for
  digest       text NOT NULL,                          -- of all rollups of the period, as they were when they were proven
  verified_at  timestamptz NOT NULL,
  PRIMARY KEY (period, starts)
);

-- A cost is a number or NULL. NaN would make every total that contains it NaN. (Infinity does not fit numeric(20,12).)
-- NOT VALID: new and changed rows are checked, and a large table is not read while it is locked. `verify` finds NaN in rows
-- from before, and `verify --repair` makes it NULL.
ALTER TABLE llm_requests ADD CONSTRAINT llm_requests_cost_is_number
  CHECK (input_cost <> 'NaN' AND output_cost <> 'NaN' AND total_cost <> 'NaN') NOT VALID;
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (6, 'verified', false);
END $version$;


-- ## Version 7: order -------------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 7 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0007 order
-- breaking: no
--
-- What is written once is recognized when it is read again, what a name's totals cover is known, and locks are taken in
-- one order.

-- Running batches hold llm_requests before anything else, so that is what this migration waits for.
LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;


-- ## Which rows of a journal are in the database

-- The last row that a gateway wrote from each of its journals. It is written by the same statement as the row, so it is
-- right after any crash: a row before it in the journal was written, also when it has been pruned since.
CREATE TABLE majordomo_journals (
  journal     uuid PRIMARY KEY,                      -- in the file `id` of the journal's directory
  last_row    uuid NOT NULL,                         -- an id of llm_requests, which may be pruned
  written_at  timestamptz NOT NULL DEFAULT now()
);


-- ## What the totals of a metadata name cover

ALTER TABLE llm_usage_metadata_names
  ADD COLUMN summed_since timestamptz,               -- totals before it lack requests that were pruned before the name was
                                                     -- active; NULL: they are complete
  ADD COLUMN changed_at timestamptz;                 -- the last activation or deactivation, which ends an older backfill

-- Of a name from before this version it is not known whether it was active when requests were pruned. Its totals are
-- right from its first one on.
UPDATE llm_usage_metadata_names n SET summed_since = s.since FROM (
  SELECT name, least(pruned_before, first_day::timestamp AT TIME ZONE 'UTC') AS since, first_day
  FROM (SELECT name, (SELECT min(day) FROM llm_usage_metadata m WHERE m.name = o.name) AS first_day
        FROM llm_usage_metadata_names o WHERE summed) AS names
  CROSS JOIN majordomo_schema WHERE pruned_before IS NOT NULL
) AS s
WHERE s.name = n.name AND s.first_day IS DISTINCT FROM (SELECT min(day) FROM llm_usage_daily);


-- ## The order of locks
--
-- Every transaction takes its locks in this order, and then none waits for another one that waits for it:
--
-- 1. pg_advisory_xact_lock(7680, n) with n other than 2: one change at a time of the schema, of names, or by prune
-- 2. llm_requests: the table, then its rows in the order of their ids
-- 3. pg_advisory_xact_lock(7680, 2): one change at a time of the rollups
-- 4. everything else: rollups, api_keys, llm_requests_metadata_keys, llm_usage_metadata_names, majordomo_schema
--
-- A change of a key or of a name reaches the rollups by triggers, when it holds rows of step 4 already. It therefore takes
-- steps 2 and 3 first.

CREATE FUNCTION majordomo_lock_rollups() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  LOCK TABLE llm_requests IN ROW EXCLUSIVE MODE;
  PERFORM pg_advisory_xact_lock(7680, 2);
  RETURN NULL;
END $$;

CREATE TRIGGER majordomo_locks_first BEFORE DELETE ON api_keys
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_lock_rollups();
CREATE TRIGGER majordomo_locks_first BEFORE UPDATE OF is_active OR DELETE ON llm_requests_metadata_keys
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_lock_rollups();
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (7, 'order', false);
END $version$;


-- ## Version 8: numbers -----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 8 THEN RETURN; END IF;

  EXECUTE $migration$
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
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (8, 'numbers', false);
END $version$;


-- ## Version 9: shutdown ----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 9 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0009 shutdown
-- breaking: no
--
-- Rows with the outcome 'shutdown' count as errors: requests that the gateway ended because server.shutdown_timeout was
-- exceeded. Until now their outcome was 'gateway_died'. No row has the new outcome yet, so that no total changes.

-- >>> counting functions: generated by `npm run schema`, see README.md

-- Adds new requests to the rollup tables, to their API keys and to the metadata names that they carry.
CREATE OR REPLACE FUNCTION majordomo_count_added() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
      coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
    FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
        coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
      FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms;
  END IF;

  UPDATE api_keys k SET request_count = k.request_count + u.requests, last_used_at = greatest(k.last_used_at, u.last_used_at)
  FROM (SELECT majordomo_api_key_id, count(*) AS requests, max(requested_at) AS last_used_at FROM added GROUP BY 1) AS u
  WHERE k.id = u.majordomo_api_key_id;

  -- Clients choose the names, so each key may have at most 1,000 of them.
  IF EXISTS (SELECT FROM added WHERE jsonb_typeof(raw_metadata) = 'object') THEN
    INSERT INTO llm_requests_metadata_keys AS m
      (majordomo_api_key_id, key_name, request_count, last_seen_at, is_active, activated_at)
    SELECT u.*, n.name IS NOT NULL, CASE WHEN n.name IS NOT NULL THEN now() END FROM (
      SELECT majordomo_api_key_id, left(name, 255) AS name, count(*) AS requests, max(requested_at) AS last_seen_at
      FROM (SELECT majordomo_api_key_id, requested_at,
              jsonb_object_keys(CASE WHEN jsonb_typeof(raw_metadata) = 'object' THEN raw_metadata END) AS name
            FROM added) AS names
      GROUP BY 1, 2) AS u
    JOIN api_keys k ON k.id = u.majordomo_api_key_id
    LEFT JOIN llm_usage_metadata_names n ON n.name = u.name AND n.every_key
    WHERE EXISTS (
        SELECT FROM llm_requests_metadata_keys o
        WHERE (o.majordomo_api_key_id, o.key_name) = (u.majordomo_api_key_id, u.name))
      OR (SELECT count(*) FROM llm_requests_metadata_keys o WHERE o.majordomo_api_key_id = u.majordomo_api_key_id) < 1000
    ON CONFLICT (majordomo_api_key_id, key_name) DO UPDATE
      SET request_count = m.request_count + excluded.request_count,
          last_seen_at = greatest(m.last_seen_at, excluded.last_seen_at);
  END IF;
  RETURN NULL;
END $$;

-- Replaces what changed requests (such as repriced ones) count for in the rollup tables.
CREATE OR REPLACE FUNCTION majordomo_count_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- A statement that changes many rows but no counted column (metadata activate, prune) turns this off.
  IF current_setting('majordomo.same_sums', true) = 'on' THEN RETURN NULL; END IF;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      coalesce(sum(sign), 0) AS requests,
      coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
      coalesce(sum(sign * input_tokens), 0) AS input_tokens, coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
      coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(sign * output_tokens), 0) AS output_tokens,
      coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(sign * input_cost), 0) AS input_cost, coalesce(sum(sign * output_cost), 0) AS output_cost,
      coalesce(sum(sign * total_cost), 0) AS total_cost,
      coalesce(sum(sign) FILTER (WHERE total_cost IS NULL), 0) AS without_cost,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
      coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms
    FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        coalesce(sum(sign), 0) AS requests,
        coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
        coalesce(sum(sign * input_tokens), 0) AS input_tokens,
        coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
        coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(sign * output_tokens), 0) AS output_tokens,
        coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(sign * input_cost), 0) AS input_cost, coalesce(sum(sign * output_cost), 0) AS output_cost,
        coalesce(sum(sign * total_cost), 0) AS total_cost,
        coalesce(sum(sign) FILTER (WHERE total_cost IS NULL), 0) AS without_cost,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
        coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms
      FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
        UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms;
  END IF;
  RETURN NULL;
END $$;

-- Rebuilds the rollup tables from the requests, from the day (UTC) of `since` on, for example after a restore without
-- triggers. Earlier days keep their totals, and so do days whose requests were pruned.
CREATE OR REPLACE FUNCTION majordomo_count_again(since timestamptz DEFAULT '-infinity') RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  first_day date := CASE WHEN since = '-infinity' THEN '-infinity'::date ELSE (since AT TIME ZONE 'UTC')::date END;
  start timestamptz := CASE WHEN since = '-infinity' THEN since ELSE date_trunc('day', since, 'UTC') END;
  first_weekly_day date := first_day;
  pruned timestamptz := (SELECT pruned_before FROM majordomo_schema);
BEGIN
  IF pruned > start THEN
    start := pruned;
    first_day := (pruned AT TIME ZONE 'UTC')::date;
  END IF;
  LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE; -- no request may come between DELETE and INSERT
  DELETE FROM llm_usage_hourly WHERE hour >= start;
  DELETE FROM llm_usage_hourly_keys WHERE hour >= start;
  DELETE FROM llm_usage_daily WHERE day >= first_day;
  DELETE FROM llm_usage_metadata WHERE day >= first_day;
  DELETE FROM llm_usage_metadata_values WHERE day >= first_day;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
      coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
    FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
        coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
      FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms;
  END IF;
  PERFORM majordomo_fold_again(first_weekly_day);
END $$;

-- Rebuilds the totals of one metadata name on one day (UTC) from that day's requests, and returns their number. It reads
-- the requests before other writers have to wait. If some requests of that day changed in the meantime, it reads them once
-- more while the writers wait: each such change makes new row versions in llm_usage_daily, which `before` identifies.
CREATE OR REPLACE FUNCTION majordomo_count_name(wanted text, on_day date) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  totals json;
  before text;
  after text;
  counted bigint;
  stored integer;
BEGIN
  IF on_day::timestamp AT TIME ZONE 'UTC' < (SELECT pruned_before FROM majordomo_schema) THEN RETURN 0; END IF;
  FOR attempt IN 1..2 LOOP
    before := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    WITH cells AS (
      SELECT left(raw_metadata ->> wanted, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
        coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms
      FROM llm_requests
      WHERE created_at >= on_day::timestamp AT TIME ZONE 'UTC' AND created_at < (on_day + 1)::timestamp AT TIME ZONE 'UTC'
        AND outcome <> 'gap' AND raw_metadata ->> wanted IS NOT NULL
      GROUP BY 1
    ), placed AS (
      SELECT *, CASE WHEN row_number() OVER (ORDER BY requests DESC, value) <= 10000 THEN value ELSE '(other)' END AS place
      FROM cells
    ), places AS (
      SELECT on_day AS day, wanted AS name, place AS value,
        sum(requests) AS requests, sum(errors) AS errors, sum(input_tokens) AS input_tokens,
        sum(cached_tokens) AS cached_tokens, sum(cache_creation_tokens) AS cache_creation_tokens,
        sum(cache_creation_1h_tokens) AS cache_creation_1h_tokens, sum(output_tokens) AS output_tokens,
        sum(reasoning_tokens) AS reasoning_tokens, sum(input_cost) AS input_cost, sum(output_cost) AS output_cost,
        sum(total_cost) AS total_cost, sum(without_cost) AS without_cost, sum(exact) AS exact,
        sum(estimated) AS estimated, sum(unpriced) AS unpriced, sum(free) AS free, sum(inconsistent) AS inconsistent,
        sum(response_time_ms) AS response_time_ms
      FROM placed GROUP BY 3
    )
    SELECT json_agg(p) INTO totals FROM places p;
    PERFORM pg_advisory_xact_lock(7680, 2);
    after := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    EXIT WHEN after IS NOT DISTINCT FROM before;
  END LOOP;
  PERFORM majordomo_fold_days();
  DELETE FROM llm_usage_metadata WHERE (name, day) = (wanted, on_day);
  DELETE FROM llm_usage_metadata_values WHERE (name, day) = (wanted, on_day);
  WITH written AS (
    INSERT INTO llm_usage_metadata (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms)
    SELECT name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms
    FROM json_populate_recordset(NULL::llm_usage_metadata, totals)
    RETURNING value, requests
  )
  SELECT coalesce(sum(requests), 0), count(*) FILTER (WHERE value <> '(other)') INTO counted, stored FROM written;
  IF stored > 0 THEN
    INSERT INTO llm_usage_metadata_values (name, day, distinct_values) VALUES (wanted, on_day, stored);
  END IF;
  IF on_day < (SELECT folded_before FROM majordomo_schema) THEN
    PERFORM majordomo_fold_again(on_day, on_day + 1, wanted);
  END IF;
  RETURN counted;
END $$;

-- Adds the days that ended since the last call to their weeks: with the first batch of a day, and before a day is counted
-- again. The caller holds pg_advisory_xact_lock(7680, 2).
CREATE OR REPLACE FUNCTION majordomo_fold_days() RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  since date := (SELECT coalesce(folded_before, '-infinity') FROM majordomo_schema);
  until date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
  IF since >= until THEN RETURN; END IF;
  INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms)
  FROM llm_usage_metadata WHERE day >= since AND day < until GROUP BY 1, 2, 3
  ON CONFLICT (name, week, value) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms;
  UPDATE majordomo_schema SET folded_before = until;
END $$;

-- Rebuilds the weeks that have a day from `since` up to, but not including, `until`, for one metadata name or for all.
CREATE OR REPLACE FUNCTION majordomo_fold_again(since date, until date DEFAULT 'infinity', wanted text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  first_week date := date_trunc('week', since);
  next_week date := CASE WHEN until = 'infinity' THEN until ELSE date_trunc('week', until - 1)::date + 7 END;
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 2);
  DELETE FROM llm_usage_metadata_weekly
  WHERE week >= first_week AND week < next_week AND (wanted IS NULL OR name = wanted);
  INSERT INTO llm_usage_metadata_weekly (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms)
  FROM llm_usage_metadata
  WHERE day >= first_week AND day < least(next_week, (SELECT folded_before FROM majordomo_schema))
    AND (wanted IS NULL OR name = wanted)
  GROUP BY 1, 2, 3;
END $$;

-- <<< counting functions
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (9, 'shutdown', false);
END $version$;


-- ## Version 10: memory -----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 10 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0010 memory
-- breaking: no

-- While the disk of a gateway rejects writes, rows wait in its memory. How many of them the gateway has written over the
-- life of its journal is recorded by the same statement as the rows. So the next process knows which rows of a memory that
-- is gone were written, and counts the others as dropped.
ALTER TABLE majordomo_journals
  ADD COLUMN from_memory bigint NOT NULL DEFAULT 0;
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (10, 'memory', false);
END $version$;


-- ## Version 11: pruned_repricings ------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 11 THEN RETURN; END IF;

  EXECUTE $migration$
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
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (11, 'pruned_repricings', false);
END $version$;


-- ## Version 12: access -----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 12 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0012 access
-- breaking: no

-- Who may use the admin API: the holders of admin tokens, and people who signed in to the dashboard. Of tokens, sessions and
-- sign-in codes, only the SHA-256 hash is stored.
CREATE TABLE majordomo_admin_tokens (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL,
  role text NOT NULL CONSTRAINT majordomo_admin_tokens_role CHECK (role IN ('viewer', 'auditor', 'admin')),
  token_hash text NOT NULL CONSTRAINT majordomo_admin_tokens_hash UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);

CREATE TABLE majordomo_sessions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  secret_hash text NOT NULL CONSTRAINT majordomo_sessions_hash UNIQUE,
  name text NOT NULL,
  role text NOT NULL CONSTRAINT majordomo_sessions_role CHECK (role IN ('viewer', 'auditor', 'admin')),
  -- How the person signed in.
  how text NOT NULL CONSTRAINT majordomo_sessions_how CHECK (how IN ('token', 'code', 'oidc')),
  -- The token of the sign-in. A session is not valid when its token is not.
  token_id uuid CONSTRAINT majordomo_sessions_token REFERENCES majordomo_admin_tokens,
  address text,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  revoked_at timestamptz,
  last_seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX majordomo_sessions_expire ON majordomo_sessions (expires_at);

-- The codes of the links that `majordomo-gateway dashboard` prints. Each works once.
CREATE TABLE majordomo_sign_in_codes (
  code_hash text PRIMARY KEY,
  role text NOT NULL CONSTRAINT majordomo_sign_in_codes_role CHECK (role IN ('viewer', 'auditor', 'admin')),
  created_by text NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);

-- The key that signs the cookies of sessions, in base64url. A cookie with another signature is rejected without a query.
ALTER TABLE majordomo_schema ADD COLUMN cookie_key text;

-- One row for each change that somebody made: who, when, from where, and what it was before and after.
CREATE TABLE llm_audit (
  id uuid PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor_kind text NOT NULL,
  actor_name text NOT NULL,
  -- The id of the token, session or key.
  actor_id text,
  address text,
  action text NOT NULL,
  -- The id or the name of what was changed.
  target text,
  before jsonb,
  after jsonb
);
CREATE INDEX llm_audit_at ON llm_audit (at, id);
CREATE TRIGGER majordomo_only_add BEFORE UPDATE OR DELETE OR TRUNCATE ON llm_audit
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_only_add();
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (12, 'access', false);
END $version$;


-- ## Version 13: latency ----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 13 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0013 latency
-- breaking: no
--
-- Each total has a histogram of how long its requests took, so that percentiles of any period are read from rollups. And
-- the requests with an error, which are few, have an index.

-- Batches hold llm_requests before anything else, so that is what this migration waits for.
LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;

-- The histogram of one request, as a number that can be added up: 10^(10 b), where bucket b > 0 reaches from
-- 9.5 * 1.1^(b - 1) to 9.5 * 1.1^b ms, and bucket 0 below it. No whole number is on a bound, so that rounding does not
-- matter. A total has the number of requests of bucket b in its ten digits from 10 b on, and takes 5 bytes for each bucket
-- between its fastest and its slowest request. Adding two of them is one addition.
-- Requests whose answer was interrupted have no latency, and neither have the items of batches (0 ms).
CREATE FUNCTION majordomo_latency(outcome text, response_time_ms integer) RETURNS numeric LANGUAGE sql
IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN outcome = 'complete' AND response_time_ms > 0
    THEN ('1e' || (10 * greatest(0, 1 + floor(ln(response_time_ms::float8 / 9.5) / ln(1.1::float8)))::integer)::text)::numeric END
$$;

ALTER TABLE llm_usage_hourly ADD COLUMN latencies numeric NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_hourly_keys ADD COLUMN latencies numeric NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_daily ADD COLUMN latencies numeric NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_metadata ADD COLUMN latencies numeric NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_metadata_weekly ADD COLUMN latencies numeric NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_hourly ADD CONSTRAINT llm_usage_hourly_latencies_are_numbers CHECK (abs(latencies) < 'Infinity');
ALTER TABLE llm_usage_hourly_keys ADD CONSTRAINT llm_usage_hourly_keys_latencies_are_numbers CHECK (abs(latencies) < 'Infinity');
ALTER TABLE llm_usage_daily ADD CONSTRAINT llm_usage_daily_latencies_are_numbers CHECK (abs(latencies) < 'Infinity');
ALTER TABLE llm_usage_metadata ADD CONSTRAINT llm_usage_metadata_latencies_are_numbers CHECK (abs(latencies) < 'Infinity');
ALTER TABLE llm_usage_metadata_weekly ADD CONSTRAINT llm_usage_metadata_weekly_latencies_are_numbers CHECK (abs(latencies) < 'Infinity');

-- `usage errors` reads the requests with an error of a period.
CREATE INDEX idx_llm_requests_errors ON llm_requests (created_at)
  WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown');

-- >>> counting functions: generated by `npm run schema`, see README.md

-- Adds new requests to the rollup tables, to their API keys and to the metadata names that they carry.
CREATE OR REPLACE FUNCTION majordomo_count_added() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
      coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies
    FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
        coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies
      FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms, latencies)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms), sum(latencies)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms,
        latencies = t.latencies + excluded.latencies
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies;
  END IF;

  UPDATE api_keys k SET request_count = k.request_count + u.requests, last_used_at = greatest(k.last_used_at, u.last_used_at)
  FROM (SELECT majordomo_api_key_id, count(*) AS requests, max(requested_at) AS last_used_at FROM added GROUP BY 1) AS u
  WHERE k.id = u.majordomo_api_key_id;

  -- Clients choose the names, so each key may have at most 1,000 of them.
  IF EXISTS (SELECT FROM added WHERE jsonb_typeof(raw_metadata) = 'object') THEN
    INSERT INTO llm_requests_metadata_keys AS m
      (majordomo_api_key_id, key_name, request_count, last_seen_at, is_active, activated_at)
    SELECT u.*, n.name IS NOT NULL, CASE WHEN n.name IS NOT NULL THEN now() END FROM (
      SELECT majordomo_api_key_id, left(name, 255) AS name, count(*) AS requests, max(requested_at) AS last_seen_at
      FROM (SELECT majordomo_api_key_id, requested_at,
              jsonb_object_keys(CASE WHEN jsonb_typeof(raw_metadata) = 'object' THEN raw_metadata END) AS name
            FROM added) AS names
      GROUP BY 1, 2) AS u
    JOIN api_keys k ON k.id = u.majordomo_api_key_id
    LEFT JOIN llm_usage_metadata_names n ON n.name = u.name AND n.every_key
    WHERE EXISTS (
        SELECT FROM llm_requests_metadata_keys o
        WHERE (o.majordomo_api_key_id, o.key_name) = (u.majordomo_api_key_id, u.name))
      OR (SELECT count(*) FROM llm_requests_metadata_keys o WHERE o.majordomo_api_key_id = u.majordomo_api_key_id) < 1000
    ON CONFLICT (majordomo_api_key_id, key_name) DO UPDATE
      SET request_count = m.request_count + excluded.request_count,
          last_seen_at = greatest(m.last_seen_at, excluded.last_seen_at);
  END IF;
  RETURN NULL;
END $$;

-- Replaces what changed requests (such as repriced ones) count for in the rollup tables.
CREATE OR REPLACE FUNCTION majordomo_count_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- A statement that changes many rows but no counted column (metadata activate, prune) turns this off.
  IF current_setting('majordomo.same_sums', true) = 'on' THEN RETURN NULL; END IF;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      coalesce(sum(sign), 0) AS requests,
      coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
      coalesce(sum(sign * input_tokens), 0) AS input_tokens, coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
      coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(sign * output_tokens), 0) AS output_tokens,
      coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(sign * input_cost), 0) AS input_cost, coalesce(sum(sign * output_cost), 0) AS output_cost,
      coalesce(sum(sign * total_cost), 0) AS total_cost,
      coalesce(sum(sign) FILTER (WHERE total_cost IS NULL), 0) AS without_cost,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
      coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(sign * majordomo_latency(outcome, response_time_ms)), 0) AS latencies
    FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        coalesce(sum(sign), 0) AS requests,
        coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
        coalesce(sum(sign * input_tokens), 0) AS input_tokens,
        coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
        coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(sign * output_tokens), 0) AS output_tokens,
        coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(sign * input_cost), 0) AS input_cost, coalesce(sum(sign * output_cost), 0) AS output_cost,
        coalesce(sum(sign * total_cost), 0) AS total_cost,
        coalesce(sum(sign) FILTER (WHERE total_cost IS NULL), 0) AS without_cost,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
        coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(sign * majordomo_latency(outcome, response_time_ms)), 0) AS latencies
      FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
        UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms, latencies)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms), sum(latencies)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms,
        latencies = t.latencies + excluded.latencies
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies;
  END IF;
  RETURN NULL;
END $$;

-- Rebuilds the rollup tables from the requests, from the day (UTC) of `since` on, for example after a restore without
-- triggers. Earlier days keep their totals, and so do days whose requests were pruned.
CREATE OR REPLACE FUNCTION majordomo_count_again(since timestamptz DEFAULT '-infinity') RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  first_day date := CASE WHEN since = '-infinity' THEN '-infinity'::date ELSE (since AT TIME ZONE 'UTC')::date END;
  start timestamptz := CASE WHEN since = '-infinity' THEN since ELSE date_trunc('day', since, 'UTC') END;
  first_weekly_day date := first_day;
  pruned timestamptz := (SELECT pruned_before FROM majordomo_schema);
BEGIN
  IF pruned > start THEN
    start := pruned;
    first_day := (pruned AT TIME ZONE 'UTC')::date;
  END IF;
  LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE; -- no request may come between DELETE and INSERT
  DELETE FROM llm_usage_hourly WHERE hour >= start;
  DELETE FROM llm_usage_hourly_keys WHERE hour >= start;
  DELETE FROM llm_usage_daily WHERE day >= first_day;
  DELETE FROM llm_usage_metadata WHERE day >= first_day;
  DELETE FROM llm_usage_metadata_values WHERE day >= first_day;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
      coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies
    FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
        coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies
      FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies;
  END IF;
  PERFORM majordomo_fold_again(first_weekly_day);
END $$;

-- Rebuilds the totals of one metadata name on one day (UTC) from that day's requests, and returns their number. It reads
-- the requests before other writers have to wait. If some requests of that day changed in the meantime, it reads them once
-- more while the writers wait: each such change makes new row versions in llm_usage_daily, which `before` identifies.
CREATE OR REPLACE FUNCTION majordomo_count_name(wanted text, on_day date) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  totals json;
  before text;
  after text;
  counted bigint;
  stored integer;
BEGIN
  IF on_day::timestamp AT TIME ZONE 'UTC' < (SELECT pruned_before FROM majordomo_schema) THEN RETURN 0; END IF;
  FOR attempt IN 1..2 LOOP
    before := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    WITH cells AS (
      SELECT left(raw_metadata ->> wanted, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost), 0) AS input_cost, coalesce(sum(output_cost), 0) AS output_cost,
        coalesce(sum(total_cost), 0) AS total_cost, count(*) FILTER (WHERE total_cost IS NULL) AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies
      FROM llm_requests
      WHERE created_at >= on_day::timestamp AT TIME ZONE 'UTC' AND created_at < (on_day + 1)::timestamp AT TIME ZONE 'UTC'
        AND outcome <> 'gap' AND raw_metadata ->> wanted IS NOT NULL
      GROUP BY 1
    ), placed AS (
      SELECT *, CASE WHEN row_number() OVER (ORDER BY requests DESC, value) <= 10000 THEN value ELSE '(other)' END AS place
      FROM cells
    ), places AS (
      SELECT on_day AS day, wanted AS name, place AS value,
        sum(requests) AS requests, sum(errors) AS errors, sum(input_tokens) AS input_tokens,
        sum(cached_tokens) AS cached_tokens, sum(cache_creation_tokens) AS cache_creation_tokens,
        sum(cache_creation_1h_tokens) AS cache_creation_1h_tokens, sum(output_tokens) AS output_tokens,
        sum(reasoning_tokens) AS reasoning_tokens, sum(input_cost) AS input_cost, sum(output_cost) AS output_cost,
        sum(total_cost) AS total_cost, sum(without_cost) AS without_cost, sum(exact) AS exact,
        sum(estimated) AS estimated, sum(unpriced) AS unpriced, sum(free) AS free, sum(inconsistent) AS inconsistent,
        sum(response_time_ms) AS response_time_ms, sum(latencies) AS latencies
      FROM placed GROUP BY 3
    )
    SELECT json_agg(p) INTO totals FROM places p;
    PERFORM pg_advisory_xact_lock(7680, 2);
    after := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    EXIT WHEN after IS NOT DISTINCT FROM before;
  END LOOP;
  PERFORM majordomo_fold_days();
  DELETE FROM llm_usage_metadata WHERE (name, day) = (wanted, on_day);
  DELETE FROM llm_usage_metadata_values WHERE (name, day) = (wanted, on_day);
  WITH written AS (
    INSERT INTO llm_usage_metadata (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies)
    SELECT name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies
    FROM json_populate_recordset(NULL::llm_usage_metadata, totals)
    RETURNING value, requests
  )
  SELECT coalesce(sum(requests), 0), count(*) FILTER (WHERE value <> '(other)') INTO counted, stored FROM written;
  IF stored > 0 THEN
    INSERT INTO llm_usage_metadata_values (name, day, distinct_values) VALUES (wanted, on_day, stored);
  END IF;
  IF on_day < (SELECT folded_before FROM majordomo_schema) THEN
    PERFORM majordomo_fold_again(on_day, on_day + 1, wanted);
  END IF;
  RETURN counted;
END $$;

-- Adds the days that ended since the last call to their weeks: with the first batch of a day, and before a day is counted
-- again. The caller holds pg_advisory_xact_lock(7680, 2).
CREATE OR REPLACE FUNCTION majordomo_fold_days() RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  since date := (SELECT coalesce(folded_before, '-infinity') FROM majordomo_schema);
  until date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
  IF since >= until THEN RETURN; END IF;
  INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies)
  FROM llm_usage_metadata WHERE day >= since AND day < until GROUP BY 1, 2, 3
  ON CONFLICT (name, week, value) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies;
  UPDATE majordomo_schema SET folded_before = until;
END $$;

-- Rebuilds the weeks that have a day from `since` up to, but not including, `until`, for one metadata name or for all.
CREATE OR REPLACE FUNCTION majordomo_fold_again(since date, until date DEFAULT 'infinity', wanted text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  first_week date := date_trunc('week', since);
  next_week date := CASE WHEN until = 'infinity' THEN until ELSE date_trunc('week', until - 1)::date + 7 END;
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 2);
  DELETE FROM llm_usage_metadata_weekly
  WHERE week >= first_week AND week < next_week AND (wanted IS NULL OR name = wanted);
  INSERT INTO llm_usage_metadata_weekly (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies)
  FROM llm_usage_metadata
  WHERE day >= first_week AND day < least(next_week, (SELECT folded_before FROM majordomo_schema))
    AND (wanted IS NULL OR name = wanted)
  GROUP BY 1, 2, 3;
END $$;

-- <<< counting functions


-- Totals of requests that were pruned before this version have no latencies.
WITH cells AS MATERIALIZED (
  SELECT date_trunc('hour', created_at, 'UTC') AS hour,
    coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
    left(provider, 255) AS provider, left(model, 255) AS model, sum(majordomo_latency(outcome, response_time_ms)) AS latencies
  FROM llm_requests WHERE majordomo_latency(outcome, response_time_ms) IS NOT NULL GROUP BY 1, 2, 3, 4
), hourly AS (
  UPDATE llm_usage_hourly t SET latencies = c.latencies
  FROM (SELECT hour, provider, model, sum(latencies) AS latencies FROM cells GROUP BY 1, 2, 3) AS c
  WHERE (t.hour, t.provider, t.model) = (c.hour, c.provider, c.model)
), hourly_keys AS (
  UPDATE llm_usage_hourly_keys t SET latencies = c.latencies
  FROM (SELECT hour, majordomo_api_key_id, sum(latencies) AS latencies FROM cells GROUP BY 1, 2) AS c
  WHERE (t.hour, t.majordomo_api_key_id) = (c.hour, c.majordomo_api_key_id)
)
UPDATE llm_usage_daily t SET latencies = c.latencies
FROM (SELECT (hour AT TIME ZONE 'UTC')::date AS day, majordomo_api_key_id, provider, model, sum(latencies) AS latencies
  FROM cells GROUP BY 1, 2, 3, 4) AS c
WHERE (t.day, t.majordomo_api_key_id, t.provider, t.model) = (c.day, c.majordomo_api_key_id, c.provider, c.model);

-- Other names lack requests, so that no report reads their totals. `metadata activate` computes these again.
WITH named AS (
  SELECT n.name, (created_at AT TIME ZONE 'UTC')::date AS day, left(raw_metadata ->> n.name, 255) AS value,
    sum(majordomo_latency(outcome, response_time_ms)) AS latencies
  FROM llm_requests CROSS JOIN llm_usage_metadata_names n
  WHERE n.summed AND raw_metadata ->> n.name IS NOT NULL AND majordomo_latency(outcome, response_time_ms) IS NOT NULL
  GROUP BY 1, 2, 3
), placed AS (
  SELECT name, day, CASE WHEN m.requests IS NULL THEN '(other)' ELSE value END AS place, sum(named.latencies) AS latencies
  FROM named LEFT JOIN llm_usage_metadata m USING (name, day, value) GROUP BY 1, 2, 3
)
UPDATE llm_usage_metadata t SET latencies = p.latencies
FROM placed p WHERE (t.name, t.day, t.value) = (p.name, p.day, p.place);

UPDATE llm_usage_metadata_weekly t SET latencies = d.latencies
FROM (SELECT name, date_trunc('week', day)::date AS week, value, sum(latencies) AS latencies
  FROM llm_usage_metadata, majordomo_schema WHERE day < folded_before GROUP BY 1, 2, 3) AS d
WHERE (t.name, t.week, t.value) = (d.name, d.week, d.value) AND d.latencies > 0;
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (13, 'latency', false);
END $version$;


-- ## Version 14: unusual ----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 14 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0014 unusual
-- breaking: no
--
-- Reports by status and outcome take all requests from the rollups, and read the rows of those that are not as nearly all
-- are. The index contains the errors too, so that it replaces theirs.

CREATE INDEX idx_llm_requests_unusual ON llm_requests (created_at) WHERE status_code <> 200 OR outcome <> 'complete';
DROP INDEX idx_llm_requests_errors;
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (14, 'unusual', false);
END $version$;


-- ## Version 15: vault ------------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 15 THEN RETURN; END IF;

  EXECUTE $migration$
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
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (15, 'vault', false);
END $version$;


-- ## Version 16: billing ----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 16 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0016 billing
-- breaking: no
--
-- Requests with the login of a subscription are not billed by their tokens. `total_cost` of such a request is its API value,
-- which the totals have beside the bill: total_cost, input_cost, output_cost and without_cost count other requests only.
-- Requests that exist are all billed by their tokens, as far as anyone knows, so their totals stay as they are.
-- A program that does not know the column adds requests as before. Only its reports that read requests, and not totals, add
-- API values to the bill until it is updated.

-- Batches hold llm_requests before anything else, so that is what this migration waits for.
LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;

-- NULL: the provider bills the request by its tokens.
ALTER TABLE llm_requests ADD COLUMN billing text;

ALTER TABLE llm_usage_hourly ADD COLUMN subscription_requests bigint NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_hourly ADD COLUMN subscription_value numeric NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_hourly ADD COLUMN subscription_without_value bigint NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_hourly_keys ADD COLUMN subscription_requests bigint NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_hourly_keys ADD COLUMN subscription_value numeric NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_hourly_keys ADD COLUMN subscription_without_value bigint NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_daily ADD COLUMN subscription_requests bigint NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_daily ADD COLUMN subscription_value numeric NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_daily ADD COLUMN subscription_without_value bigint NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_metadata ADD COLUMN subscription_requests bigint NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_metadata ADD COLUMN subscription_value numeric NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_metadata ADD COLUMN subscription_without_value bigint NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_metadata_weekly ADD COLUMN subscription_requests bigint NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_metadata_weekly ADD COLUMN subscription_value numeric NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_metadata_weekly ADD COLUMN subscription_without_value bigint NOT NULL DEFAULT 0;
ALTER TABLE llm_usage_hourly ADD CONSTRAINT llm_usage_hourly_values_are_numbers CHECK (abs(subscription_value) < 'Infinity');
ALTER TABLE llm_usage_hourly_keys ADD CONSTRAINT llm_usage_hourly_keys_values_are_numbers CHECK (abs(subscription_value) < 'Infinity');
ALTER TABLE llm_usage_daily ADD CONSTRAINT llm_usage_daily_values_are_numbers CHECK (abs(subscription_value) < 'Infinity');
ALTER TABLE llm_usage_metadata ADD CONSTRAINT llm_usage_metadata_values_are_numbers CHECK (abs(subscription_value) < 'Infinity');
ALTER TABLE llm_usage_metadata_weekly ADD CONSTRAINT llm_usage_metadata_weekly_values_are_numbers CHECK (abs(subscription_value) < 'Infinity');

-- >>> counting functions: generated by `npm run schema`, see README.md

-- Adds new requests to the rollup tables, to their API keys and to the metadata names that they carry.
CREATE OR REPLACE FUNCTION majordomo_count_added() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
      coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
    FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
        subscription_without_value)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
        sum(subscription_without_value)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms,
        latencies = t.latencies + excluded.latencies,
        subscription_requests = t.subscription_requests + excluded.subscription_requests,
        subscription_value = t.subscription_value + excluded.subscription_value,
        subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;

  UPDATE api_keys k SET request_count = k.request_count + u.requests, last_used_at = greatest(k.last_used_at, u.last_used_at)
  FROM (SELECT majordomo_api_key_id, count(*) AS requests, max(requested_at) AS last_used_at FROM added GROUP BY 1) AS u
  WHERE k.id = u.majordomo_api_key_id;

  -- Clients choose the names, so each key may have at most 1,000 of them.
  IF EXISTS (SELECT FROM added WHERE jsonb_typeof(raw_metadata) = 'object') THEN
    INSERT INTO llm_requests_metadata_keys AS m
      (majordomo_api_key_id, key_name, request_count, last_seen_at, is_active, activated_at)
    SELECT u.*, n.name IS NOT NULL, CASE WHEN n.name IS NOT NULL THEN now() END FROM (
      SELECT majordomo_api_key_id, left(name, 255) AS name, count(*) AS requests, max(requested_at) AS last_seen_at
      FROM (SELECT majordomo_api_key_id, requested_at,
              jsonb_object_keys(CASE WHEN jsonb_typeof(raw_metadata) = 'object' THEN raw_metadata END) AS name
            FROM added) AS names
      GROUP BY 1, 2) AS u
    JOIN api_keys k ON k.id = u.majordomo_api_key_id
    LEFT JOIN llm_usage_metadata_names n ON n.name = u.name AND n.every_key
    WHERE EXISTS (
        SELECT FROM llm_requests_metadata_keys o
        WHERE (o.majordomo_api_key_id, o.key_name) = (u.majordomo_api_key_id, u.name))
      OR (SELECT count(*) FROM llm_requests_metadata_keys o WHERE o.majordomo_api_key_id = u.majordomo_api_key_id) < 1000
    ON CONFLICT (majordomo_api_key_id, key_name) DO UPDATE
      SET request_count = m.request_count + excluded.request_count,
          last_seen_at = greatest(m.last_seen_at, excluded.last_seen_at);
  END IF;
  RETURN NULL;
END $$;

-- Replaces what changed requests (such as repriced ones) count for in the rollup tables.
CREATE OR REPLACE FUNCTION majordomo_count_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- A statement that changes many rows but no counted column (metadata activate, prune) turns this off.
  IF current_setting('majordomo.same_sums', true) = 'on' THEN RETURN NULL; END IF;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      coalesce(sum(sign), 0) AS requests,
      coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
      coalesce(sum(sign * input_tokens), 0) AS input_tokens, coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
      coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(sign * output_tokens), 0) AS output_tokens,
      coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(sign * input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(sign * output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(sign * total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription'), 0) AS without_cost,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
      coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(sign * majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      coalesce(sum(sign) FILTER (WHERE billing = 'subscription'), 0) AS subscription_requests,
      coalesce(sum(sign * total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing = 'subscription'), 0) AS subscription_without_value
    FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        coalesce(sum(sign), 0) AS requests,
        coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
        coalesce(sum(sign * input_tokens), 0) AS input_tokens,
        coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
        coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(sign * output_tokens), 0) AS output_tokens,
        coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(sign * input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(sign * output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(sign * total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription'), 0) AS without_cost,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
        coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(sign * majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        coalesce(sum(sign) FILTER (WHERE billing = 'subscription'), 0) AS subscription_requests,
        coalesce(sum(sign * total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing = 'subscription'), 0) AS subscription_without_value
      FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
        UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
        subscription_without_value)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
        sum(subscription_without_value)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms,
        latencies = t.latencies + excluded.latencies,
        subscription_requests = t.subscription_requests + excluded.subscription_requests,
        subscription_value = t.subscription_value + excluded.subscription_value,
        subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;
  RETURN NULL;
END $$;

-- Rebuilds the rollup tables from the requests, from the day (UTC) of `since` on, for example after a restore without
-- triggers. Earlier days keep their totals, and so do days whose requests were pruned.
CREATE OR REPLACE FUNCTION majordomo_count_again(since timestamptz DEFAULT '-infinity') RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  first_day date := CASE WHEN since = '-infinity' THEN '-infinity'::date ELSE (since AT TIME ZONE 'UTC')::date END;
  start timestamptz := CASE WHEN since = '-infinity' THEN since ELSE date_trunc('day', since, 'UTC') END;
  first_weekly_day date := first_day;
  pruned timestamptz := (SELECT pruned_before FROM majordomo_schema);
BEGIN
  IF pruned > start THEN
    start := pruned;
    first_day := (pruned AT TIME ZONE 'UTC')::date;
  END IF;
  LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE; -- no request may come between DELETE and INSERT
  DELETE FROM llm_usage_hourly WHERE hour >= start;
  DELETE FROM llm_usage_hourly_keys WHERE hour >= start;
  DELETE FROM llm_usage_daily WHERE day >= first_day;
  DELETE FROM llm_usage_metadata WHERE day >= first_day;
  DELETE FROM llm_usage_metadata_values WHERE day >= first_day;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
      coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
    FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;
  PERFORM majordomo_fold_again(first_weekly_day);
END $$;

-- Rebuilds the totals of one metadata name on one day (UTC) from that day's requests, and returns their number. It reads
-- the requests before other writers have to wait. If some requests of that day changed in the meantime, it reads them once
-- more while the writers wait: each such change makes new row versions in llm_usage_daily, which `before` identifies.
CREATE OR REPLACE FUNCTION majordomo_count_name(wanted text, on_day date) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  totals json;
  before text;
  after text;
  counted bigint;
  stored integer;
BEGIN
  IF on_day::timestamp AT TIME ZONE 'UTC' < (SELECT pruned_before FROM majordomo_schema) THEN RETURN 0; END IF;
  FOR attempt IN 1..2 LOOP
    before := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    WITH cells AS (
      SELECT left(raw_metadata ->> wanted, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM llm_requests
      WHERE created_at >= on_day::timestamp AT TIME ZONE 'UTC' AND created_at < (on_day + 1)::timestamp AT TIME ZONE 'UTC'
        AND outcome <> 'gap' AND raw_metadata ->> wanted IS NOT NULL
      GROUP BY 1
    ), placed AS (
      SELECT *, CASE WHEN row_number() OVER (ORDER BY requests DESC, value) <= 10000 THEN value ELSE '(other)' END AS place
      FROM cells
    ), places AS (
      SELECT on_day AS day, wanted AS name, place AS value,
        sum(requests) AS requests, sum(errors) AS errors, sum(input_tokens) AS input_tokens,
        sum(cached_tokens) AS cached_tokens, sum(cache_creation_tokens) AS cache_creation_tokens,
        sum(cache_creation_1h_tokens) AS cache_creation_1h_tokens, sum(output_tokens) AS output_tokens,
        sum(reasoning_tokens) AS reasoning_tokens, sum(input_cost) AS input_cost, sum(output_cost) AS output_cost,
        sum(total_cost) AS total_cost, sum(without_cost) AS without_cost, sum(exact) AS exact,
        sum(estimated) AS estimated, sum(unpriced) AS unpriced, sum(free) AS free, sum(inconsistent) AS inconsistent,
        sum(response_time_ms) AS response_time_ms, sum(latencies) AS latencies,
        sum(subscription_requests) AS subscription_requests, sum(subscription_value) AS subscription_value,
        sum(subscription_without_value) AS subscription_without_value
      FROM placed GROUP BY 3
    )
    SELECT json_agg(p) INTO totals FROM places p;
    PERFORM pg_advisory_xact_lock(7680, 2);
    after := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    EXIT WHEN after IS NOT DISTINCT FROM before;
  END LOOP;
  PERFORM majordomo_fold_days();
  DELETE FROM llm_usage_metadata WHERE (name, day) = (wanted, on_day);
  DELETE FROM llm_usage_metadata_values WHERE (name, day) = (wanted, on_day);
  WITH written AS (
    INSERT INTO llm_usage_metadata (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value
    FROM json_populate_recordset(NULL::llm_usage_metadata, totals)
    RETURNING value, requests
  )
  SELECT coalesce(sum(requests), 0), count(*) FILTER (WHERE value <> '(other)') INTO counted, stored FROM written;
  IF stored > 0 THEN
    INSERT INTO llm_usage_metadata_values (name, day, distinct_values) VALUES (wanted, on_day, stored);
  END IF;
  IF on_day < (SELECT folded_before FROM majordomo_schema) THEN
    PERFORM majordomo_fold_again(on_day, on_day + 1, wanted);
  END IF;
  RETURN counted;
END $$;

-- Adds the days that ended since the last call to their weeks: with the first batch of a day, and before a day is counted
-- again. The caller holds pg_advisory_xact_lock(7680, 2).
CREATE OR REPLACE FUNCTION majordomo_fold_days() RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  since date := (SELECT coalesce(folded_before, '-infinity') FROM majordomo_schema);
  until date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
  IF since >= until THEN RETURN; END IF;
  INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM llm_usage_metadata WHERE day >= since AND day < until GROUP BY 1, 2, 3
  ON CONFLICT (name, week, value) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  UPDATE majordomo_schema SET folded_before = until;
END $$;

-- Rebuilds the weeks that have a day from `since` up to, but not including, `until`, for one metadata name or for all.
CREATE OR REPLACE FUNCTION majordomo_fold_again(since date, until date DEFAULT 'infinity', wanted text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  first_week date := date_trunc('week', since);
  next_week date := CASE WHEN until = 'infinity' THEN until ELSE date_trunc('week', until - 1)::date + 7 END;
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 2);
  DELETE FROM llm_usage_metadata_weekly
  WHERE week >= first_week AND week < next_week AND (wanted IS NULL OR name = wanted);
  INSERT INTO llm_usage_metadata_weekly (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM llm_usage_metadata
  WHERE day >= first_week AND day < least(next_week, (SELECT folded_before FROM majordomo_schema))
    AND (wanted IS NULL OR name = wanted)
  GROUP BY 1, 2, 3;
END $$;

-- <<< counting functions
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (16, 'billing', false);
END $version$;


-- ## Version 17: attribution ------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 17 THEN RETURN; END IF;

  EXECUTE $migration$
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
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (17, 'attribution', false);
END $version$;


-- ## Version 18: price_overrides --------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 18 THEN RETURN; END IF;

  EXECUTE $migration$
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
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (18, 'price_overrides', false);
END $version$;


-- ## Version 19: reports ----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 19 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0019 reports
-- breaking: no

-- Without statistics of this expression, the planner takes nearly every request for one of a run. A list of runs then reads
-- all requests of a long period instead of those in idx_llm_requests_runs_created_at.
CREATE STATISTICS llm_requests_run ON
  (coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')))
  FROM llm_requests;
ANALYZE llm_requests;

-- Reports by status and outcome read the unusual requests from the index alone. It contains what they add up.
DROP INDEX idx_llm_requests_unusual;
CREATE INDEX idx_llm_requests_unusual ON llm_requests (created_at)
  INCLUDE (status_code, outcome, billing, cost_status, total_cost, input_tokens, cached_tokens, cache_creation_tokens, output_tokens)
  WHERE status_code <> 200 OR outcome <> 'complete';
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (19, 'reports', false);
END $version$;


-- ## Version 20: limits -----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 20 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0020 limits
-- breaking: no

-- Running batches hold llm_requests before anything else, so that is what this migration waits for.
LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;

-- How much of something requests may use in a window of time (src/core/limit.ts has the same with its meaning).
CREATE TABLE llm_limits (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name           text NOT NULL UNIQUE,
  measure        text NOT NULL CHECK (measure IN ('cost', 'requests', 'input_tokens', 'output_tokens', 'tokens', 'concurrency')),
  amount         numeric NOT NULL CHECK (amount >= 0 AND amount < 'Infinity'),
  window_unit    text NOT NULL CHECK (window_unit IN ('minute', 'hour', 'day', 'week', 'month', 'total')),
  -- A name that the database does not know raises an error here, and not in every batch.
  tz             text NOT NULL DEFAULT 'UTC' CHECK (date_trunc('day', 'epoch'::timestamptz, tz) IS NOT NULL),
  api_key_id     uuid,                                -- the filters: which requests count; NULL: all
  provider       text CHECK (provider = lower(provider)),
  model          text,                                -- the requested or the answering model; may end in *
  metadata       jsonb CHECK (jsonb_typeof(metadata) = 'object'), -- values by name; a value may end in *
  per            text,                                -- one budget for each value of: key, model, or a metadata name
  action         text NOT NULL DEFAULT 'block' CHECK (action IN ('block', 'warn')),
  notify_at      integer[] NOT NULL DEFAULT '{}',     -- percentages
  estimate       text NOT NULL DEFAULT 'expected' CHECK (estimate IN ('expected', 'maximum')),
  unpriced       text NOT NULL DEFAULT 'allow' CHECK (unpriced IN ('allow', 'block')),
  source         text NOT NULL DEFAULT 'database' CHECK (source IN ('database', 'config')),
  counted_since  timestamptz NOT NULL,                -- windows that begin before it are not counted; a trigger sets it
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now()
);

-- What the requests of a window have used: the sum of all requests that count for the limit, by the time when they ended.
CREATE TABLE llm_limit_usage (
  limit_id       uuid NOT NULL,
  value          text NOT NULL,                       -- of `per`; '' for a limit without it, and for requests without a value
  window_start   timestamptz NOT NULL,                -- 'epoch' for `total`
  requests       bigint NOT NULL DEFAULT 0,
  input_tokens   numeric NOT NULL DEFAULT 0,
  output_tokens  numeric NOT NULL DEFAULT 0,
  cost           numeric NOT NULL DEFAULT 0,          -- USD, without subscriptions
  notified       smallint NOT NULL DEFAULT 0,         -- the highest percentage of the limit that was notified
  PRIMARY KEY (limit_id, value, window_start),
  CONSTRAINT llm_limit_usage_are_numbers
    CHECK (abs(input_tokens) < 'Infinity' AND abs(output_tokens) < 'Infinity' AND abs(cost) < 'Infinity')
);
CREATE INDEX llm_limit_usage_window ON llm_limit_usage (limit_id, window_start);

-- What gateways may use without asking again. A lease does not end with its window: it counts in every window, because the
-- requests for which it was taken may end in the next one.
CREATE TABLE llm_limit_leases (
  limit_id       uuid NOT NULL,
  value          text NOT NULL,
  window_start   timestamptz NOT NULL,                -- the window of the last change
  gateway_id     uuid NOT NULL,                       -- one process
  slot           text NOT NULL,                       -- the directory of its journal, as in majordomo_gateways
  granted        numeric NOT NULL,
  in_use         numeric NOT NULL,                    -- the part for running requests and for rows that are not committed
  expires_at     timestamptz NOT NULL,
  PRIMARY KEY (limit_id, value, gateway_id),
  CONSTRAINT llm_limit_leases_are_numbers CHECK (abs(granted) < 'Infinity' AND abs(in_use) < 'Infinity')
);
CREATE INDEX llm_limit_leases_gateway ON llm_limit_leases (gateway_id);

-- The start of the window to which a time belongs.
CREATE FUNCTION majordomo_limit_window(unit text, at timestamptz, tz text) RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT CASE unit WHEN 'total' THEN 'epoch'::timestamptz ELSE date_trunc(unit, at, tz) END $$;

-- The time at which the window of a time ends; NULL for `total`.
CREATE FUNCTION majordomo_limit_window_end(unit text, at timestamptz, tz text) RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT CASE WHEN unit = 'total' THEN NULL
  WHEN unit IN ('minute', 'hour') THEN date_trunc(unit, at, tz) + ('1 ' || unit)::interval
  ELSE (date_trunc(unit, at AT TIME ZONE tz) + ('1 ' || unit)::interval) AT TIME ZONE tz END $$;

-- What a row of llm_limit_usage has used of a limit.
CREATE FUNCTION majordomo_limit_used(measure text, u llm_limit_usage) RETURNS numeric LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE measure WHEN 'cost' THEN u.cost WHEN 'requests' THEN u.requests WHEN 'input_tokens' THEN u.input_tokens
  WHEN 'output_tokens' THEN u.output_tokens WHEN 'tokens' THEN u.input_tokens + u.output_tokens ELSE 0 END $$;


-- ## Changes of limits
--
-- A change takes the locks of a batch, in the same order. A batch before it is counted by it, and a batch that waits for it
-- counts itself, so that each request counts once.

CREATE TRIGGER majordomo_locks_first
  BEFORE INSERT OR DELETE OR UPDATE OF measure, window_unit, tz, api_key_id, provider, model, metadata, per ON llm_limits
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_lock_rollups();

-- A limit is counted from its present window on. Clocks may differ by 15 minutes, so the window of that time ago counts too.
CREATE FUNCTION majordomo_start_limit() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    NEW.updated_at := now();
    IF (NEW.window_unit, NEW.tz) = (OLD.window_unit, OLD.tz) THEN RETURN NEW; END IF;
    NEW.counted_since := NULL;
  END IF;
  NEW.counted_since := coalesce(NEW.counted_since, CASE NEW.window_unit WHEN 'total' THEN '-infinity'
    ELSE majordomo_limit_window(NEW.window_unit, now() - interval '15 minutes', NEW.tz) END);
  RETURN NEW;
END $$;
CREATE TRIGGER majordomo_started
  BEFORE INSERT OR UPDATE OF name, measure, amount, window_unit, tz, api_key_id, provider, model, metadata, per, action, notify_at,
    estimate, unpriced, source ON llm_limits
  FOR EACH ROW EXECUTE FUNCTION majordomo_start_limit();

-- Counts the windows of a limit from `first` on again, from the requests. The caller holds pg_advisory_xact_lock(7680, 2).
-- What was notified stays so.
CREATE FUNCTION majordomo_count_limit(wanted uuid, first timestamptz, with_pruned boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
  WITH counted AS MATERIALIZED (
    SELECT * FROM majordomo_limit_requests(wanted, first, with_pruned)
  ), gone AS (
    DELETE FROM llm_limit_usage u WHERE limit_id = wanted AND window_start >= first
      AND NOT EXISTS (SELECT FROM counted c WHERE (c.value, c.window_start) = (u.value, u.window_start))
  )
  INSERT INTO llm_limit_usage (limit_id, value, window_start, requests, input_tokens, output_tokens, cost)
  SELECT wanted, * FROM counted
  ON CONFLICT (limit_id, value, window_start) DO UPDATE SET requests = excluded.requests,
    input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens, cost = excluded.cost;
END $$;

CREATE FUNCTION majordomo_drop_leases(wanted uuid) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 8);
  DELETE FROM llm_limit_leases WHERE limit_id = wanted;
END $$;

CREATE FUNCTION majordomo_changed_limit() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM llm_limit_usage WHERE limit_id = OLD.id;
    PERFORM majordomo_drop_leases(OLD.id);
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' AND (NEW.measure, NEW.amount, NEW.notify_at) IS DISTINCT FROM (OLD.measure, OLD.amount, OLD.notify_at) THEN
    UPDATE llm_limit_usage SET notified = 0 WHERE limit_id = NEW.id AND notified > 0;
  END IF;
  IF TG_OP = 'INSERT' OR
    (NEW.measure = 'concurrency', NEW.window_unit, NEW.tz, NEW.api_key_id, NEW.provider, NEW.model, NEW.metadata, NEW.per)
    IS DISTINCT FROM
    (OLD.measure = 'concurrency', OLD.window_unit, OLD.tz, OLD.api_key_id, OLD.provider, OLD.model, OLD.metadata, OLD.per) THEN
    DELETE FROM llm_limit_usage WHERE limit_id = NEW.id;
    -- Of the requests that are running, only leases know.
    IF NEW.measure <> 'concurrency' THEN PERFORM majordomo_count_limit(NEW.id, '-infinity', true); END IF;
  END IF;
  -- Leases are amounts of the measure, for groups of `per`.
  IF TG_OP = 'UPDATE' AND (NEW.measure, NEW.per) IS DISTINCT FROM (OLD.measure, OLD.per) THEN
    PERFORM majordomo_drop_leases(NEW.id);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER majordomo_limit_changed
  AFTER INSERT OR DELETE OR UPDATE OF measure, amount, notify_at, window_unit, tz, api_key_id, provider, model, metadata, per ON llm_limits
  FOR EACH ROW EXECUTE FUNCTION majordomo_changed_limit();

CREATE FUNCTION majordomo_tell_limits() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN TRUNCATE llm_limit_usage, llm_limit_leases; END IF;
  PERFORM pg_notify('majordomo_keys', 'limits');
  RETURN NULL;
END $$;
-- Without counted_since, so that trimming sends no notification.
CREATE TRIGGER majordomo_limits_changed
  AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF name, measure, amount, window_unit, tz, api_key_id, provider, model, metadata, per, action,
    notify_at, estimate, unpriced, source ON llm_limits
  FOR EACH STATEMENT EXECUTE FUNCTION majordomo_tell_limits();

-- Forgets windows of minutes and hours that began over 2 days ago, and others of over 400 days ago.
CREATE FUNCTION majordomo_trim_limits() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  -- A day of tolerance, so that writers wait for it once a day.
  IF NOT EXISTS (SELECT FROM llm_limits
    WHERE window_unit IN ('minute', 'hour') AND counted_since < now() - interval '3 days'
      OR window_unit IN ('day', 'week', 'month') AND counted_since < now() - interval '435 days') THEN
    RETURN;
  END IF;
  LOCK TABLE llm_requests IN ROW EXCLUSIVE MODE;
  PERFORM pg_advisory_xact_lock(7680, 2);
  UPDATE llm_limits SET counted_since = greatest(counted_since, majordomo_limit_window(window_unit,
    now() - CASE WHEN window_unit IN ('minute', 'hour') THEN interval '2 days' ELSE interval '400 days' END, tz))
  WHERE window_unit <> 'total';
  DELETE FROM llm_limit_usage u USING llm_limits l WHERE l.id = u.limit_id AND u.window_start < l.counted_since;
END $$;

-- Requests that were removed all at once take everything with them that was counted of them.
CREATE OR REPLACE FUNCTION majordomo_empty_sums() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  TRUNCATE llm_usage_hourly, llm_usage_hourly_keys, llm_usage_daily, llm_usage_metadata, llm_usage_metadata_weekly,
    llm_usage_metadata_values, llm_limit_usage;
  UPDATE majordomo_schema SET pruned_before = NULL;
  RETURN NULL;
END $$;


-- ## Leases
--
-- pg_advisory_xact_lock(7680, 8) lets one gateway at a time change leases, so that each statement after it sees what was
-- granted before. What was used only grows meanwhile, and what gateways return was committed before. No other advisory lock
-- is taken after it.

-- Changes the leases of a gateway, and returns their state. `at` is the time of the gateway, which decides the window. Each
-- item `{"limit", "value", "holding", "in_use", "wanted", "least"}` first sets the own lease to `holding`, of which `in_use` is
-- reserved or uncommitted. Then it adds up to `wanted`, or nothing if not even `least` is free. An item without a limit has
-- no row in the result.
CREATE FUNCTION majordomo_lease(gateway uuid, gateway_slot text, at timestamptz, items json)
RETURNS TABLE (limit_id uuid, value text, granted numeric, used numeric, leased numeric, idle numeric, amount numeric,
  window_start timestamptz, window_end timestamptz)
LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS $$
#variable_conflict use_column
DECLARE
  item record;
  l llm_limits;
  free numeric;
  added numeric;
  others numeric;
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 8);
  DELETE FROM llm_limit_leases WHERE expires_at <= clock_timestamp();
  FOR item IN SELECT * FROM json_to_recordset(items)
    AS i("limit" uuid, value text, holding numeric, in_use numeric, wanted numeric, least numeric) LOOP
    SELECT * INTO l FROM llm_limits WHERE id = item.limit;
    CONTINUE WHEN NOT FOUND;
    window_start := majordomo_limit_window(l.window_unit, at, l.tz);
    window_end := majordomo_limit_window_end(l.window_unit, at, l.tz);
    SELECT (SELECT coalesce(max(majordomo_limit_used(l.measure, u)), 0) FROM llm_limit_usage u
        WHERE u.limit_id = l.id AND u.value = item.value AND u.window_start >= majordomo_lease.window_start),
      coalesce(sum(s.granted), 0), coalesce(sum(greatest(s.granted - s.in_use, 0)), 0)
    INTO used, others, idle
    FROM llm_limit_leases s WHERE s.limit_id = l.id AND s.value = item.value AND s.gateway_id <> gateway;
    free := l.amount - used - others - item.holding;
    -- Near the limit, leases shrink to single requests. Amounts are whole nano-USD, or whole numbers.
    added := CASE WHEN free < item.least THEN 0
      ELSE least(item.wanted, greatest(item.least, trunc(free / 8, CASE l.measure WHEN 'cost' THEN 9 ELSE 0 END))) END;
    granted := item.holding + added;
    leased := others + granted;
    amount := l.amount;
    limit_id := l.id;
    value := item.value;
    IF granted > 0 THEN
      INSERT INTO llm_limit_leases AS s (limit_id, value, window_start, gateway_id, slot, granted, in_use, expires_at)
      VALUES (l.id, item.value, majordomo_lease.window_start, gateway, gateway_slot, majordomo_lease.granted, item.in_use,
        clock_timestamp() + interval '15 minutes')
      ON CONFLICT (limit_id, value, gateway_id) DO UPDATE SET window_start = excluded.window_start, slot = excluded.slot,
        granted = excluded.granted, in_use = excluded.in_use, expires_at = excluded.expires_at;
    ELSE
      DELETE FROM llm_limit_leases s WHERE (s.limit_id, s.value, s.gateway_id) = (l.id, item.value, gateway);
    END IF;
    IF item.least > 0 AND added = 0 AND idle > 0 THEN PERFORM pg_notify('majordomo_keys', 'limits-return'); END IF;
    RETURN NEXT;
  END LOOP;
END $$;

-- Extends the leases of a gateway and returns their number. Gateways call it every minute, so it also trims usage. A lease that has expired stays so, because its amount may have
-- been granted again.
CREATE FUNCTION majordomo_renew_leases(gateway uuid) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  renewed bigint;
BEGIN
  PERFORM majordomo_trim_limits();
  PERFORM pg_advisory_xact_lock(7680, 8);
  UPDATE llm_limit_leases SET expires_at = clock_timestamp() + interval '15 minutes'
  WHERE gateway_id = gateway AND expires_at > clock_timestamp();
  GET DIAGNOSTICS renewed = ROW_COUNT;
  RETURN renewed;
END $$;

-- Deletes the leases of earlier processes of a slot, after the rows of their journal were written. Returns their number.
CREATE FUNCTION majordomo_free_leases(of_slot text, except_gateway uuid) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  freed bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 8);
  DELETE FROM llm_limit_leases WHERE slot = of_slot AND gateway_id IS DISTINCT FROM except_gateway;
  GET DIAGNOSTICS freed = ROW_COUNT;
  RETURN freed;
END $$;

-- >>> counting functions: generated by `npm run schema`, see README.md

-- Adds new requests to the rollup tables, to their API keys and to the metadata names that they carry.
CREATE OR REPLACE FUNCTION majordomo_count_added() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
      coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
    FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
        subscription_without_value)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
        sum(subscription_without_value)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms,
        latencies = t.latencies + excluded.latencies,
        subscription_requests = t.subscription_requests + excluded.subscription_requests,
        subscription_value = t.subscription_value + excluded.subscription_value,
        subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;

  IF EXISTS (SELECT FROM llm_limits WHERE measure <> 'concurrency') THEN
    INSERT INTO llm_limit_usage AS t (limit_id, value, window_start, requests, input_tokens, output_tokens, cost)
    SELECT limit_id, value, window_start, count(*), sum(input_tokens), sum(output_tokens), coalesce(sum(cost), 0)
    FROM (
    SELECT l.id AS limit_id, l.counted_since,
      CASE WHEN l.per IS NULL THEN '' WHEN l.per = 'key' THEN coalesce(r.majordomo_api_key_id::text, '')
        WHEN l.per = 'model' THEN left(r.model, 255) ELSE coalesce(left(r.raw_metadata ->> l.per, 255), '') END AS value,
      majordomo_limit_window(l.window_unit, r.created_at, l.tz) AS window_start,
      r.input_tokens, r.output_tokens, CASE WHEN r.billing IS DISTINCT FROM 'subscription' THEN r.total_cost END AS cost
    FROM (SELECT * FROM llm_limits WHERE measure <> 'concurrency') AS l JOIN (SELECT * FROM added WHERE outcome NOT IN ('gap', 'rejected')) AS r ON (l.api_key_id IS NULL OR l.api_key_id = r.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = r.provider)
      AND (l.model IS NULL OR l.model IN (r.model, r.requested_model)
        OR right(l.model, 1) = '*'
          AND (starts_with(r.model, left(l.model, -1)) OR starts_with(r.requested_model, left(l.model, -1))))
      AND (l.metadata IS NULL OR NOT EXISTS (
        SELECT FROM jsonb_each_text(l.metadata) AS m
        WHERE CASE WHEN right(m.value, 1) = '*' THEN starts_with(r.raw_metadata ->> m.key, left(m.value, -1))
          ELSE r.raw_metadata ->> m.key = m.value END IS NOT TRUE))
    ) AS counted
    WHERE window_start >= counted_since GROUP BY 1, 2, 3
    ON CONFLICT (limit_id, value, window_start) DO UPDATE SET
      requests = t.requests + excluded.requests, input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens, cost = t.cost + excluded.cost;
  END IF;

  UPDATE api_keys k SET request_count = k.request_count + u.requests, last_used_at = greatest(k.last_used_at, u.last_used_at)
  FROM (SELECT majordomo_api_key_id, count(*) AS requests, max(requested_at) AS last_used_at FROM added GROUP BY 1) AS u
  WHERE k.id = u.majordomo_api_key_id;

  -- Clients choose the names, so each key may have at most 1,000 of them.
  IF EXISTS (SELECT FROM added WHERE jsonb_typeof(raw_metadata) = 'object') THEN
    INSERT INTO llm_requests_metadata_keys AS m
      (majordomo_api_key_id, key_name, request_count, last_seen_at, is_active, activated_at)
    SELECT u.*, n.name IS NOT NULL, CASE WHEN n.name IS NOT NULL THEN now() END FROM (
      SELECT majordomo_api_key_id, left(name, 255) AS name, count(*) AS requests, max(requested_at) AS last_seen_at
      FROM (SELECT majordomo_api_key_id, requested_at,
              jsonb_object_keys(CASE WHEN jsonb_typeof(raw_metadata) = 'object' THEN raw_metadata END) AS name
            FROM added) AS names
      GROUP BY 1, 2) AS u
    JOIN api_keys k ON k.id = u.majordomo_api_key_id
    LEFT JOIN llm_usage_metadata_names n ON n.name = u.name AND n.every_key
    WHERE EXISTS (
        SELECT FROM llm_requests_metadata_keys o
        WHERE (o.majordomo_api_key_id, o.key_name) = (u.majordomo_api_key_id, u.name))
      OR (SELECT count(*) FROM llm_requests_metadata_keys o WHERE o.majordomo_api_key_id = u.majordomo_api_key_id) < 1000
    ON CONFLICT (majordomo_api_key_id, key_name) DO UPDATE
      SET request_count = m.request_count + excluded.request_count,
          last_seen_at = greatest(m.last_seen_at, excluded.last_seen_at);
  END IF;
  RETURN NULL;
END $$;

-- Replaces what changed requests (such as repriced ones) count for in the rollup tables.
CREATE OR REPLACE FUNCTION majordomo_count_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- A statement that changes many rows but no counted column (metadata activate, prune) turns this off.
  IF current_setting('majordomo.same_sums', true) = 'on' THEN RETURN NULL; END IF;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      coalesce(sum(sign), 0) AS requests,
      coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
      coalesce(sum(sign * input_tokens), 0) AS input_tokens, coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
      coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(sign * output_tokens), 0) AS output_tokens,
      coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(sign * input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(sign * output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(sign * total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription'), 0) AS without_cost,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
      coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(sign * majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      coalesce(sum(sign) FILTER (WHERE billing = 'subscription'), 0) AS subscription_requests,
      coalesce(sum(sign * total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing = 'subscription'), 0) AS subscription_without_value
    FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        coalesce(sum(sign), 0) AS requests,
        coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
        coalesce(sum(sign * input_tokens), 0) AS input_tokens,
        coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
        coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(sign * output_tokens), 0) AS output_tokens,
        coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(sign * input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(sign * output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(sign * total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription'), 0) AS without_cost,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
        coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(sign * majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        coalesce(sum(sign) FILTER (WHERE billing = 'subscription'), 0) AS subscription_requests,
        coalesce(sum(sign * total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing = 'subscription'), 0) AS subscription_without_value
      FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
        UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
        subscription_without_value)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
        sum(subscription_without_value)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms,
        latencies = t.latencies + excluded.latencies,
        subscription_requests = t.subscription_requests + excluded.subscription_requests,
        subscription_value = t.subscription_value + excluded.subscription_value,
        subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;

  IF EXISTS (SELECT FROM llm_limits WHERE measure <> 'concurrency') THEN
    INSERT INTO llm_limit_usage AS t (limit_id, value, window_start, requests, input_tokens, output_tokens, cost)
    SELECT * FROM (
      SELECT limit_id, value, window_start, sum(sign) AS requests, sum(sign * input_tokens) AS input_tokens,
        sum(sign * output_tokens) AS output_tokens, coalesce(sum(sign * cost), 0) AS cost
      FROM (
    SELECT l.id AS limit_id, l.counted_since,
      CASE WHEN l.per IS NULL THEN '' WHEN l.per = 'key' THEN coalesce(r.majordomo_api_key_id::text, '')
        WHEN l.per = 'model' THEN left(r.model, 255) ELSE coalesce(left(r.raw_metadata ->> l.per, 255), '') END AS value,
      majordomo_limit_window(l.window_unit, r.created_at, l.tz) AS window_start,
      r.sign, r.input_tokens, r.output_tokens, CASE WHEN r.billing IS DISTINCT FROM 'subscription' THEN r.total_cost END AS cost
    FROM (SELECT * FROM llm_limits WHERE measure <> 'concurrency') AS l JOIN (SELECT 1 AS sign, * FROM added WHERE outcome NOT IN ('gap', 'rejected')
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome NOT IN ('gap', 'rejected')) AS r ON (l.api_key_id IS NULL OR l.api_key_id = r.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = r.provider)
      AND (l.model IS NULL OR l.model IN (r.model, r.requested_model)
        OR right(l.model, 1) = '*'
          AND (starts_with(r.model, left(l.model, -1)) OR starts_with(r.requested_model, left(l.model, -1))))
      AND (l.metadata IS NULL OR NOT EXISTS (
        SELECT FROM jsonb_each_text(l.metadata) AS m
        WHERE CASE WHEN right(m.value, 1) = '*' THEN starts_with(r.raw_metadata ->> m.key, left(m.value, -1))
          ELSE r.raw_metadata ->> m.key = m.value END IS NOT TRUE))
      ) AS counted
      WHERE window_start >= counted_since GROUP BY 1, 2, 3) AS changes
    WHERE (requests, input_tokens, output_tokens, cost) <> (0, 0, 0, 0)
    ON CONFLICT (limit_id, value, window_start) DO UPDATE SET
      requests = t.requests + excluded.requests, input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens, cost = t.cost + excluded.cost;
  END IF;
  RETURN NULL;
END $$;

-- Rebuilds the rollup tables from the requests, from the day (UTC) of `since` on, for example after a restore without
-- triggers. Earlier days keep their totals, and so do days whose requests were pruned.
CREATE OR REPLACE FUNCTION majordomo_count_again(since timestamptz DEFAULT '-infinity') RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  first_day date := CASE WHEN since = '-infinity' THEN '-infinity'::date ELSE (since AT TIME ZONE 'UTC')::date END;
  start timestamptz := CASE WHEN since = '-infinity' THEN since ELSE date_trunc('day', since, 'UTC') END;
  first_weekly_day date := first_day;
  pruned timestamptz := (SELECT pruned_before FROM majordomo_schema);
BEGIN
  IF pruned > start THEN
    start := pruned;
    first_day := (pruned AT TIME ZONE 'UTC')::date;
  END IF;
  LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE; -- no request may come between DELETE and INSERT
  DELETE FROM llm_usage_hourly WHERE hour >= start;
  DELETE FROM llm_usage_hourly_keys WHERE hour >= start;
  DELETE FROM llm_usage_daily WHERE day >= first_day;
  DELETE FROM llm_usage_metadata WHERE day >= first_day;
  DELETE FROM llm_usage_metadata_values WHERE day >= first_day;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
      coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
    FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;
  PERFORM majordomo_fold_again(first_weekly_day);
  PERFORM majordomo_count_limit(id, coalesce(pruned, '-infinity')) FROM llm_limits WHERE measure <> 'concurrency';
END $$;

-- Rebuilds the totals of one metadata name on one day (UTC) from that day's requests, and returns their number. It reads
-- the requests before other writers have to wait. If some requests of that day changed in the meantime, it reads them once
-- more while the writers wait: each such change makes new row versions in llm_usage_daily, which `before` identifies.
CREATE OR REPLACE FUNCTION majordomo_count_name(wanted text, on_day date) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  totals json;
  before text;
  after text;
  counted bigint;
  stored integer;
BEGIN
  IF on_day::timestamp AT TIME ZONE 'UTC' < (SELECT pruned_before FROM majordomo_schema) THEN RETURN 0; END IF;
  FOR attempt IN 1..2 LOOP
    before := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    WITH cells AS (
      SELECT left(raw_metadata ->> wanted, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM llm_requests
      WHERE created_at >= on_day::timestamp AT TIME ZONE 'UTC' AND created_at < (on_day + 1)::timestamp AT TIME ZONE 'UTC'
        AND outcome <> 'gap' AND raw_metadata ->> wanted IS NOT NULL
      GROUP BY 1
    ), placed AS (
      SELECT *, CASE WHEN row_number() OVER (ORDER BY requests DESC, value) <= 10000 THEN value ELSE '(other)' END AS place
      FROM cells
    ), places AS (
      SELECT on_day AS day, wanted AS name, place AS value,
        sum(requests) AS requests, sum(errors) AS errors, sum(input_tokens) AS input_tokens,
        sum(cached_tokens) AS cached_tokens, sum(cache_creation_tokens) AS cache_creation_tokens,
        sum(cache_creation_1h_tokens) AS cache_creation_1h_tokens, sum(output_tokens) AS output_tokens,
        sum(reasoning_tokens) AS reasoning_tokens, sum(input_cost) AS input_cost, sum(output_cost) AS output_cost,
        sum(total_cost) AS total_cost, sum(without_cost) AS without_cost, sum(exact) AS exact,
        sum(estimated) AS estimated, sum(unpriced) AS unpriced, sum(free) AS free, sum(inconsistent) AS inconsistent,
        sum(response_time_ms) AS response_time_ms, sum(latencies) AS latencies,
        sum(subscription_requests) AS subscription_requests, sum(subscription_value) AS subscription_value,
        sum(subscription_without_value) AS subscription_without_value
      FROM placed GROUP BY 3
    )
    SELECT json_agg(p) INTO totals FROM places p;
    PERFORM pg_advisory_xact_lock(7680, 2);
    after := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    EXIT WHEN after IS NOT DISTINCT FROM before;
  END LOOP;
  PERFORM majordomo_fold_days();
  DELETE FROM llm_usage_metadata WHERE (name, day) = (wanted, on_day);
  DELETE FROM llm_usage_metadata_values WHERE (name, day) = (wanted, on_day);
  WITH written AS (
    INSERT INTO llm_usage_metadata (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value
    FROM json_populate_recordset(NULL::llm_usage_metadata, totals)
    RETURNING value, requests
  )
  SELECT coalesce(sum(requests), 0), count(*) FILTER (WHERE value <> '(other)') INTO counted, stored FROM written;
  IF stored > 0 THEN
    INSERT INTO llm_usage_metadata_values (name, day, distinct_values) VALUES (wanted, on_day, stored);
  END IF;
  IF on_day < (SELECT folded_before FROM majordomo_schema) THEN
    PERFORM majordomo_fold_again(on_day, on_day + 1, wanted);
  END IF;
  RETURN counted;
END $$;

-- Adds the days that ended since the last call to their weeks: with the first batch of a day, and before a day is counted
-- again. The caller holds pg_advisory_xact_lock(7680, 2).
CREATE OR REPLACE FUNCTION majordomo_fold_days() RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  since date := (SELECT coalesce(folded_before, '-infinity') FROM majordomo_schema);
  until date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
  IF since >= until THEN RETURN; END IF;
  INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM llm_usage_metadata WHERE day >= since AND day < until GROUP BY 1, 2, 3
  ON CONFLICT (name, week, value) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  UPDATE majordomo_schema SET folded_before = until;
END $$;

-- Rebuilds the weeks that have a day from `since` up to, but not including, `until`, for one metadata name or for all.
CREATE OR REPLACE FUNCTION majordomo_fold_again(since date, until date DEFAULT 'infinity', wanted text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  first_week date := date_trunc('week', since);
  next_week date := CASE WHEN until = 'infinity' THEN until ELSE date_trunc('week', until - 1)::date + 7 END;
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 2);
  DELETE FROM llm_usage_metadata_weekly
  WHERE week >= first_week AND week < next_week AND (wanted IS NULL OR name = wanted);
  INSERT INTO llm_usage_metadata_weekly (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM llm_usage_metadata
  WHERE day >= first_week AND day < least(next_week, (SELECT folded_before FROM majordomo_schema))
    AND (wanted IS NULL OR name = wanted)
  GROUP BY 1, 2, 3;
END $$;

-- Returns what the requests that exist say about the use of a limit, for its windows from `first` on and not before
-- counted_since. `with_pruned`: a limit without an end also counts the totals of days whose requests were pruned, where
-- they can tell its requests apart: they know the key, the provider and the model that answered, and no metadata. It is
-- one statement for the snapshot, because a STABLE function sees that of its caller.
CREATE OR REPLACE FUNCTION majordomo_limit_requests(wanted uuid, first timestamptz, with_pruned boolean)
RETURNS TABLE (value text, window_start timestamptz, requests bigint, input_tokens numeric, output_tokens numeric, cost numeric)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off AS $$
#variable_conflict use_column
DECLARE
  wanted_limit llm_limits := (SELECT l FROM llm_limits l WHERE l.id = wanted);
  since timestamptz := greatest(first, wanted_limit.counted_since);
  -- A window of a time zone in which midnight comes twice begins with the second one, after its first requests.
  rows_since timestamptz := CASE WHEN wanted_limit.window_unit <> 'total' THEN since - interval '2 hours' ELSE '-infinity' END;
  pruned timestamptz;
BEGIN
  IF with_pruned AND wanted_limit.window_unit = 'total' AND wanted_limit.metadata IS NULL
    AND coalesce(wanted_limit.per, 'key') IN ('key', 'model') THEN
    pruned := (SELECT pruned_before FROM majordomo_schema);
    rows_since := coalesce(pruned, '-infinity');
  END IF;
  RETURN QUERY
  SELECT u.value, u.window_start, sum(u.requests)::bigint, sum(u.input_tokens), sum(u.output_tokens), coalesce(sum(u.cost), 0)
  FROM (
    SELECT value, window_start, 1 AS requests, input_tokens, output_tokens, cost FROM (
    SELECT l.id AS limit_id, l.counted_since,
      CASE WHEN l.per IS NULL THEN '' WHEN l.per = 'key' THEN coalesce(r.majordomo_api_key_id::text, '')
        WHEN l.per = 'model' THEN left(r.model, 255) ELSE coalesce(left(r.raw_metadata ->> l.per, 255), '') END AS value,
      majordomo_limit_window(l.window_unit, r.created_at, l.tz) AS window_start,
      r.input_tokens, r.output_tokens, CASE WHEN r.billing IS DISTINCT FROM 'subscription' THEN r.total_cost END AS cost
    FROM (SELECT wanted_limit.*) AS l JOIN (
      -- Two halves, of which one is empty, so that the requests of one key are found by their index.
      SELECT * FROM llm_requests WHERE outcome NOT IN ('gap', 'rejected') AND created_at >= rows_since AND wanted_limit.api_key_id IS NULL
      UNION ALL SELECT * FROM llm_requests WHERE outcome NOT IN ('gap', 'rejected') AND created_at >= rows_since
        AND majordomo_api_key_id = wanted_limit.api_key_id) AS r ON (l.api_key_id IS NULL OR l.api_key_id = r.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = r.provider)
      AND (l.model IS NULL OR l.model IN (r.model, r.requested_model)
        OR right(l.model, 1) = '*'
          AND (starts_with(r.model, left(l.model, -1)) OR starts_with(r.requested_model, left(l.model, -1))))
      AND (l.metadata IS NULL OR NOT EXISTS (
        SELECT FROM jsonb_each_text(l.metadata) AS m
        WHERE CASE WHEN right(m.value, 1) = '*' THEN starts_with(r.raw_metadata ->> m.key, left(m.value, -1))
          ELSE r.raw_metadata ->> m.key = m.value END IS NOT TRUE))
    ) AS counted
    UNION ALL
    SELECT CASE l.per WHEN 'key' THEN coalesce(nullif(d.majordomo_api_key_id, '00000000-0000-0000-0000-000000000000')::text, '')
        WHEN 'model' THEN d.model ELSE '' END,
      'epoch', d.requests, d.input_tokens, d.output_tokens, d.total_cost
    FROM (SELECT wanted_limit.*) AS l JOIN llm_usage_daily d ON d.day < (pruned AT TIME ZONE 'UTC')::date
      AND (l.api_key_id IS NULL OR l.api_key_id = d.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = d.provider)
      AND (l.model IS NULL OR l.model = d.model OR right(l.model, 1) = '*' AND starts_with(d.model, left(l.model, -1)))
  ) AS u
  WHERE u.window_start >= since GROUP BY 1, 2;
END $$;

-- <<< counting functions
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (20, 'limits', false);
END $version$;


-- ## Version 21: key_policy -------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 21 THEN RETURN; END IF;

  EXECUTE $migration$
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
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (21, 'key_policy', false);
END $version$;


-- ## Version 22: reconciliations --------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 22 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0022 reconciliations
-- breaking: no

-- What a provider billed for one UTC day, what was recorded, and the causes of the difference. A later comparison replaces the
-- row (src/database/reconciliations.ts).
CREATE TABLE llm_reconciliations (
  provider   text NOT NULL,
  account    text NOT NULL DEFAULT '',           -- the provider's id or name of the account; '': it names none
  day        date NOT NULL,
  billed     numeric NOT NULL,                   -- USD
  recorded   numeric NOT NULL,                   -- USD
  settling   boolean NOT NULL,                   -- the provider may still add to the day
  causes     jsonb NOT NULL,                     -- their amounts add up to billed - recorded
  notes      jsonb NOT NULL DEFAULT '[]',        -- what the source could not say
  source     text NOT NULL,                      -- api, legacy-api or import
  fetched_at timestamptz NOT NULL,               -- when the bill was read
  PRIMARY KEY (provider, account, day),
  CONSTRAINT llm_reconciliations_are_numbers CHECK (abs(billed) + abs(recorded) < 'Infinity')
);

-- The lines of bills that were imported from files. They are compared again when prices or rows have changed.
CREATE TABLE llm_bill_lines (
  provider    text NOT NULL,
  account     text NOT NULL DEFAULT '',
  day         date NOT NULL,
  line        integer NOT NULL,                  -- counts the lines of the import
  model       text,
  tier        text,
  bucket      text NOT NULL,
  key         text,                              -- the provider's id of its API key
  project     text,
  requests    bigint,
  quantity    numeric,
  list_cost   numeric,                           -- USD before discounts
  cost        numeric,                           -- USD
  item        text,                              -- the provider's own text of the line
  imported_at timestamptz NOT NULL,
  PRIMARY KEY (provider, account, day, line),
  CONSTRAINT llm_bill_lines_are_numbers
    CHECK (abs(coalesce(quantity, 0)) + abs(coalesce(list_cost, 0)) + abs(coalesce(cost, 0)) < 'Infinity')
);

-- The daily comparison: one of the gateways does it, and another one if that gateway dies or the provider does not answer.
CREATE TABLE majordomo_reconcile_runs (
  provider    text PRIMARY KEY,
  started_at  timestamptz NOT NULL,
  finished_at timestamptz                        -- of the last run that succeeded
);
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (22, 'reconciliations', false);
END $version$;


-- ## Version 23: runs -------------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 23 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0023 runs
-- breaking: no

-- Running batches hold llm_requests before anything else, so that is what this migration waits for.
LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;

-- The requests of agent runs (0017) by hour and run. Triggers keep it like the other rollups. Unlike them, it goes
-- when its requests are pruned: reports read what is before majordomo_schema.pruned_before from the requests that are left.
CREATE TABLE llm_usage_runs (
  hour                  timestamptz NOT NULL,
  run                   text NOT NULL,          -- the id of the run, or the beginning of a long one and a digest
  long_id               text,                   -- an id of over 255 characters
  started_at            timestamptz NOT NULL,   -- when the first of these requests began
  ended_at              timestamptz NOT NULL,   -- when the last one ended
  requests              bigint NOT NULL DEFAULT 0,
  errors                bigint NOT NULL DEFAULT 0,
  input_tokens          numeric NOT NULL DEFAULT 0,
  cached_tokens         numeric NOT NULL DEFAULT 0,
  cache_creation_tokens numeric NOT NULL DEFAULT 0,
  output_tokens         numeric NOT NULL DEFAULT 0,
  unpriced              bigint NOT NULL DEFAULT 0,
  estimated             bigint NOT NULL DEFAULT 0,
  total_cost            numeric NOT NULL DEFAULT 0, -- USD, without subscriptions
  priced                bigint NOT NULL DEFAULT 0,  -- the requests whose cost is part of it
  subscription_requests bigint NOT NULL DEFAULT 0,
  subscription_value    numeric NOT NULL DEFAULT 0, -- USD
  subscription_priced   bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (hour, run),
  CONSTRAINT llm_usage_runs_are_numbers CHECK (abs(
    input_tokens + cached_tokens + cache_creation_tokens + output_tokens + total_cost + subscription_value
  ) < 'Infinity')
);

-- Hours before it lack requests that are older than this migration. Gateways and `migrate` add them, the newest first, by
-- majordomo_count_past_runs.
ALTER TABLE majordomo_schema ADD COLUMN runs_since timestamptz NOT NULL DEFAULT '-infinity';
UPDATE majordomo_schema SET runs_since = 'infinity' WHERE EXISTS (SELECT FROM llm_requests
  WHERE coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) IS NOT NULL);

-- Requests that were removed all at once take everything with them that was counted of them.
CREATE OR REPLACE FUNCTION majordomo_empty_sums() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  TRUNCATE llm_usage_hourly, llm_usage_hourly_keys, llm_usage_daily, llm_usage_metadata, llm_usage_metadata_weekly,
    llm_usage_metadata_values, llm_usage_runs, llm_limit_usage;
  UPDATE majordomo_schema SET pruned_before = NULL, runs_since = '-infinity';
  RETURN NULL;
END $$;


-- >>> counting functions: generated by `npm run schema`, see README.md

-- Adds new requests to the rollup tables, to their API keys and to the metadata names that they carry.
CREATE OR REPLACE FUNCTION majordomo_count_added() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
      coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
    FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM (SELECT * FROM added WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
        subscription_without_value)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
        sum(subscription_without_value)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms,
        latencies = t.latencies + excluded.latencies,
        subscription_requests = t.subscription_requests + excluded.subscription_requests,
        subscription_value = t.subscription_value + excluded.subscription_value,
        subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;

  INSERT INTO llm_usage_runs AS t (hour, run, long_id, started_at, ended_at,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, output_tokens, unpriced, estimated,
    total_cost, priced, subscription_requests, subscription_value, subscription_priced)
  SELECT date_trunc('hour', created_at, 'UTC'),
    CASE WHEN length(run_id) > 255 THEN left(run_id, 255) || encode(sha256(convert_to(run_id, 'UTF8')), 'hex') ELSE run_id END,
    max(run_id) FILTER (WHERE length(run_id) > 255), min(requested_at), max(created_at),
    count(*) AS requests,
    count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
    coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
    coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
    coalesce(sum(output_tokens), 0) AS output_tokens, count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
    count(*) FILTER (WHERE cost_status IN ('estimated', 'inconsistent')) AS estimated,
    coalesce(sum(total_cost) FILTER (WHERE cost_status <> 'unpriced' AND billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
    count(*) FILTER (WHERE total_cost IS NOT NULL AND cost_status <> 'unpriced' AND billing IS DISTINCT FROM 'subscription') AS priced,
    count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
    coalesce(sum(total_cost) FILTER (WHERE cost_status <> 'unpriced' AND billing = 'subscription'), 0) AS subscription_value,
    count(*) FILTER (WHERE total_cost IS NOT NULL AND cost_status <> 'unpriced' AND billing = 'subscription') AS subscription_priced
  FROM (SELECT *, coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) AS run_id
    FROM (SELECT * FROM added WHERE outcome <> 'gap') AS counted) AS requests
  WHERE run_id IS NOT NULL GROUP BY 1, 2
  ON CONFLICT (hour, run) DO UPDATE SET
    started_at = least(t.started_at, excluded.started_at), ended_at = greatest(t.ended_at, excluded.ended_at),
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens, unpriced = t.unpriced + excluded.unpriced,
    estimated = t.estimated + excluded.estimated, total_cost = t.total_cost + excluded.total_cost,
    priced = t.priced + excluded.priced,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_priced = t.subscription_priced + excluded.subscription_priced;

  IF EXISTS (SELECT FROM llm_limits WHERE measure <> 'concurrency') THEN
    INSERT INTO llm_limit_usage AS t (limit_id, value, window_start, requests, input_tokens, output_tokens, cost)
    SELECT limit_id, value, window_start, count(*), sum(input_tokens), sum(output_tokens), coalesce(sum(cost), 0)
    FROM (
    SELECT l.id AS limit_id, l.counted_since,
      CASE WHEN l.per IS NULL THEN '' WHEN l.per = 'key' THEN coalesce(r.majordomo_api_key_id::text, '')
        WHEN l.per = 'model' THEN left(r.model, 255) ELSE coalesce(left(r.raw_metadata ->> l.per, 255), '') END AS value,
      majordomo_limit_window(l.window_unit, r.created_at, l.tz) AS window_start,
      r.input_tokens, r.output_tokens, CASE WHEN r.billing IS DISTINCT FROM 'subscription' THEN r.total_cost END AS cost
    FROM (SELECT * FROM llm_limits WHERE measure <> 'concurrency') AS l JOIN (SELECT * FROM added WHERE outcome NOT IN ('gap', 'rejected')) AS r ON (l.api_key_id IS NULL OR l.api_key_id = r.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = r.provider)
      AND (l.model IS NULL OR l.model IN (r.model, r.requested_model)
        OR right(l.model, 1) = '*'
          AND (starts_with(r.model, left(l.model, -1)) OR starts_with(r.requested_model, left(l.model, -1))))
      AND (l.metadata IS NULL OR NOT EXISTS (
        SELECT FROM jsonb_each_text(l.metadata) AS m
        WHERE CASE WHEN right(m.value, 1) = '*' THEN starts_with(r.raw_metadata ->> m.key, left(m.value, -1))
          ELSE r.raw_metadata ->> m.key = m.value END IS NOT TRUE))
    ) AS counted
    WHERE window_start >= counted_since GROUP BY 1, 2, 3
    ON CONFLICT (limit_id, value, window_start) DO UPDATE SET
      requests = t.requests + excluded.requests, input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens, cost = t.cost + excluded.cost;
  END IF;

  UPDATE api_keys k SET request_count = k.request_count + u.requests, last_used_at = greatest(k.last_used_at, u.last_used_at)
  FROM (SELECT majordomo_api_key_id, count(*) AS requests, max(requested_at) AS last_used_at FROM added GROUP BY 1) AS u
  WHERE k.id = u.majordomo_api_key_id;

  -- Clients choose the names, so each key may have at most 1,000 of them.
  IF EXISTS (SELECT FROM added WHERE jsonb_typeof(raw_metadata) = 'object') THEN
    INSERT INTO llm_requests_metadata_keys AS m
      (majordomo_api_key_id, key_name, request_count, last_seen_at, is_active, activated_at)
    SELECT u.*, n.name IS NOT NULL, CASE WHEN n.name IS NOT NULL THEN now() END FROM (
      SELECT majordomo_api_key_id, left(name, 255) AS name, count(*) AS requests, max(requested_at) AS last_seen_at
      FROM (SELECT majordomo_api_key_id, requested_at,
              jsonb_object_keys(CASE WHEN jsonb_typeof(raw_metadata) = 'object' THEN raw_metadata END) AS name
            FROM added) AS names
      GROUP BY 1, 2) AS u
    JOIN api_keys k ON k.id = u.majordomo_api_key_id
    LEFT JOIN llm_usage_metadata_names n ON n.name = u.name AND n.every_key
    WHERE EXISTS (
        SELECT FROM llm_requests_metadata_keys o
        WHERE (o.majordomo_api_key_id, o.key_name) = (u.majordomo_api_key_id, u.name))
      OR (SELECT count(*) FROM llm_requests_metadata_keys o WHERE o.majordomo_api_key_id = u.majordomo_api_key_id) < 1000
    ON CONFLICT (majordomo_api_key_id, key_name) DO UPDATE
      SET request_count = m.request_count + excluded.request_count,
          last_seen_at = greatest(m.last_seen_at, excluded.last_seen_at);
  END IF;
  RETURN NULL;
END $$;

-- Replaces what changed requests (such as repriced ones) count for in the rollup tables.
CREATE OR REPLACE FUNCTION majordomo_count_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- A statement that changes many rows but no counted column (metadata activate, prune) turns this off.
  IF current_setting('majordomo.same_sums', true) = 'on' THEN RETURN NULL; END IF;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      coalesce(sum(sign), 0) AS requests,
      coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
      coalesce(sum(sign * input_tokens), 0) AS input_tokens, coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
      coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(sign * output_tokens), 0) AS output_tokens,
      coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(sign * input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(sign * output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(sign * total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription'), 0) AS without_cost,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
      coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
      coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(sign * majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      coalesce(sum(sign) FILTER (WHERE billing = 'subscription'), 0) AS subscription_requests,
      coalesce(sum(sign * total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing = 'subscription'), 0) AS subscription_without_value
    FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        coalesce(sum(sign), 0) AS requests,
        coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
        coalesce(sum(sign * input_tokens), 0) AS input_tokens,
        coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
        coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(sign * cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(sign * output_tokens), 0) AS output_tokens,
        coalesce(sum(sign * reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(sign * input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(sign * output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(sign * total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription'), 0) AS without_cost,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'exact'), 0) AS exact,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'estimated'), 0) AS estimated,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'free'), 0) AS free,
        coalesce(sum(sign) FILTER (WHERE cost_status = 'inconsistent'), 0) AS inconsistent,
        coalesce(sum(sign * response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(sign * majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        coalesce(sum(sign) FILTER (WHERE billing = 'subscription'), 0) AS subscription_requests,
        coalesce(sum(sign * total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        coalesce(sum(sign) FILTER (WHERE total_cost IS NULL AND billing = 'subscription'), 0) AS subscription_without_value
      FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
        UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    ), weekly AS (
      INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
        requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
        reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
        inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
        subscription_without_value)
      SELECT name, date_trunc('week', day)::date, place,
        sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
        sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
        sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
        sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
        sum(subscription_without_value)
      FROM placed WHERE day < (SELECT folded_before FROM majordomo_schema) GROUP BY 1, 2, 3
      ON CONFLICT (name, week, value) DO UPDATE SET
        requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
        input_tokens = t.input_tokens + excluded.input_tokens,
        cached_tokens = t.cached_tokens + excluded.cached_tokens,
        cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
        cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
        output_tokens = t.output_tokens + excluded.output_tokens,
        reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
        input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
        total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
        exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
        unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
        inconsistent = t.inconsistent + excluded.inconsistent,
        response_time_ms = t.response_time_ms + excluded.response_time_ms,
        latencies = t.latencies + excluded.latencies,
        subscription_requests = t.subscription_requests + excluded.subscription_requests,
        subscription_value = t.subscription_value + excluded.subscription_value,
        subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;

  IF EXISTS (SELECT FROM (
      (SELECT id, coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) AS run_id, requested_at, created_at, outcome = 'gap' AS is_gap FROM added EXCEPT SELECT id, coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) AS run_id, requested_at, created_at, outcome = 'gap' AS is_gap FROM removed)
      UNION ALL (SELECT id, coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) AS run_id, requested_at, created_at, outcome = 'gap' AS is_gap FROM removed EXCEPT SELECT id, coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) AS run_id, requested_at, created_at, outcome = 'gap' AS is_gap FROM added)) AS moved WHERE run_id IS NOT NULL) THEN
    PERFORM majordomo_count_runs(hour, hour + interval '1 hour') FROM (
      SELECT DISTINCT date_trunc('hour', created_at, 'UTC') AS hour
      FROM (SELECT * FROM added UNION ALL SELECT * FROM removed) AS changed WHERE coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) IS NOT NULL
      ORDER BY 1) AS hours;
  ELSE
  INSERT INTO llm_usage_runs AS t (hour, run, long_id, started_at, ended_at,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, output_tokens, unpriced, estimated,
    total_cost, priced, subscription_requests, subscription_value, subscription_priced)
  SELECT date_trunc('hour', created_at, 'UTC'),
    CASE WHEN length(run_id) > 255 THEN left(run_id, 255) || encode(sha256(convert_to(run_id, 'UTF8')), 'hex') ELSE run_id END,
    max(run_id) FILTER (WHERE length(run_id) > 255), min(requested_at), max(created_at),
    coalesce(sum(sign), 0) AS requests,
    coalesce(sum(sign) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')), 0) AS errors,
    coalesce(sum(sign * input_tokens), 0) AS input_tokens, coalesce(sum(sign * cached_tokens), 0) AS cached_tokens,
    coalesce(sum(sign * cache_creation_tokens), 0) AS cache_creation_tokens,
    coalesce(sum(sign * output_tokens), 0) AS output_tokens,
    coalesce(sum(sign) FILTER (WHERE cost_status = 'unpriced'), 0) AS unpriced,
    coalesce(sum(sign) FILTER (WHERE cost_status IN ('estimated', 'inconsistent')), 0) AS estimated,
    coalesce(sum(sign * total_cost) FILTER (WHERE cost_status <> 'unpriced' AND billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
    coalesce(sum(sign) FILTER (WHERE total_cost IS NOT NULL AND cost_status <> 'unpriced' AND billing IS DISTINCT FROM 'subscription'), 0) AS priced,
    coalesce(sum(sign) FILTER (WHERE billing = 'subscription'), 0) AS subscription_requests,
    coalesce(sum(sign * total_cost) FILTER (WHERE cost_status <> 'unpriced' AND billing = 'subscription'), 0) AS subscription_value,
    coalesce(sum(sign) FILTER (WHERE total_cost IS NOT NULL AND cost_status <> 'unpriced' AND billing = 'subscription'), 0) AS subscription_priced
  FROM (SELECT *, coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) AS run_id
    FROM (SELECT 1 AS sign, * FROM added WHERE outcome <> 'gap'
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome <> 'gap') AS counted) AS requests
  WHERE run_id IS NOT NULL GROUP BY 1, 2
  ON CONFLICT (hour, run) DO UPDATE SET
    started_at = least(t.started_at, excluded.started_at), ended_at = greatest(t.ended_at, excluded.ended_at),
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens, unpriced = t.unpriced + excluded.unpriced,
    estimated = t.estimated + excluded.estimated, total_cost = t.total_cost + excluded.total_cost,
    priced = t.priced + excluded.priced,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_priced = t.subscription_priced + excluded.subscription_priced;
  END IF;

  IF EXISTS (SELECT FROM llm_limits WHERE measure <> 'concurrency') THEN
    INSERT INTO llm_limit_usage AS t (limit_id, value, window_start, requests, input_tokens, output_tokens, cost)
    SELECT * FROM (
      SELECT limit_id, value, window_start, sum(sign) AS requests, sum(sign * input_tokens) AS input_tokens,
        sum(sign * output_tokens) AS output_tokens, coalesce(sum(sign * cost), 0) AS cost
      FROM (
    SELECT l.id AS limit_id, l.counted_since,
      CASE WHEN l.per IS NULL THEN '' WHEN l.per = 'key' THEN coalesce(r.majordomo_api_key_id::text, '')
        WHEN l.per = 'model' THEN left(r.model, 255) ELSE coalesce(left(r.raw_metadata ->> l.per, 255), '') END AS value,
      majordomo_limit_window(l.window_unit, r.created_at, l.tz) AS window_start,
      r.sign, r.input_tokens, r.output_tokens, CASE WHEN r.billing IS DISTINCT FROM 'subscription' THEN r.total_cost END AS cost
    FROM (SELECT * FROM llm_limits WHERE measure <> 'concurrency') AS l JOIN (SELECT 1 AS sign, * FROM added WHERE outcome NOT IN ('gap', 'rejected')
      UNION ALL SELECT -1 AS sign, * FROM removed WHERE outcome NOT IN ('gap', 'rejected')) AS r ON (l.api_key_id IS NULL OR l.api_key_id = r.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = r.provider)
      AND (l.model IS NULL OR l.model IN (r.model, r.requested_model)
        OR right(l.model, 1) = '*'
          AND (starts_with(r.model, left(l.model, -1)) OR starts_with(r.requested_model, left(l.model, -1))))
      AND (l.metadata IS NULL OR NOT EXISTS (
        SELECT FROM jsonb_each_text(l.metadata) AS m
        WHERE CASE WHEN right(m.value, 1) = '*' THEN starts_with(r.raw_metadata ->> m.key, left(m.value, -1))
          ELSE r.raw_metadata ->> m.key = m.value END IS NOT TRUE))
      ) AS counted
      WHERE window_start >= counted_since GROUP BY 1, 2, 3) AS changes
    WHERE (requests, input_tokens, output_tokens, cost) <> (0, 0, 0, 0)
    ON CONFLICT (limit_id, value, window_start) DO UPDATE SET
      requests = t.requests + excluded.requests, input_tokens = t.input_tokens + excluded.input_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens, cost = t.cost + excluded.cost;
  END IF;
  RETURN NULL;
END $$;

-- Rebuilds the rollup tables from the requests, from the day (UTC) of `since` on, for example after a restore without
-- triggers. Earlier days keep their totals, and so do days whose requests were pruned.
CREATE OR REPLACE FUNCTION majordomo_count_again(since timestamptz DEFAULT '-infinity') RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  first_day date := CASE WHEN since = '-infinity' THEN '-infinity'::date ELSE (since AT TIME ZONE 'UTC')::date END;
  start timestamptz := CASE WHEN since = '-infinity' THEN since ELSE date_trunc('day', since, 'UTC') END;
  first_weekly_day date := first_day;
  pruned timestamptz := (SELECT pruned_before FROM majordomo_schema);
BEGIN
  IF pruned > start THEN
    start := pruned;
    first_day := (pruned AT TIME ZONE 'UTC')::date;
  END IF;
  LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE; -- no request may come between DELETE and INSERT
  DELETE FROM llm_usage_hourly WHERE hour >= start;
  DELETE FROM llm_usage_hourly_keys WHERE hour >= start;
  DELETE FROM llm_usage_daily WHERE day >= first_day;
  DELETE FROM llm_usage_metadata WHERE day >= first_day;
  DELETE FROM llm_usage_metadata_values WHERE day >= first_day;
  -- All batches change the same few totals, so they would wait for each other anyway. One lock prevents deadlocks.
  PERFORM pg_advisory_xact_lock(7680, 2);

  WITH cells AS (
    SELECT date_trunc('hour', created_at, 'UTC') AS hour,
      coalesce(majordomo_api_key_id, '00000000-0000-0000-0000-000000000000') AS majordomo_api_key_id,
      left(provider, 255) AS provider, left(model, 255) AS model,
      count(*) AS requests,
      count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
      coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
      coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
      coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
      coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
      coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
      coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
      coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
      count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
      count(*) FILTER (WHERE cost_status = 'exact') AS exact,
      count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
      count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
      count(*) FILTER (WHERE cost_status = 'free') AS free,
      count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
      coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
      coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
      count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
      coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
      count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
    FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes GROUP BY 1, 2, 3, 4
  ), hourly AS (
    INSERT INTO llm_usage_hourly AS t (hour, provider, model,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, provider, model,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2, 3
    ON CONFLICT (hour, provider, model) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  ), hourly_keys AS (
    INSERT INTO llm_usage_hourly_keys AS t (hour, majordomo_api_key_id,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT hour, majordomo_api_key_id,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM cells GROUP BY 1, 2
    ON CONFLICT (hour, majordomo_api_key_id) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value
  )
  INSERT INTO llm_usage_daily AS t (day, majordomo_api_key_id, provider, model,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT (hour AT TIME ZONE 'UTC')::date, majordomo_api_key_id, provider, model,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM cells GROUP BY 1, 2, 3, 4
  ON CONFLICT (day, majordomo_api_key_id, provider, model) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;

  IF EXISTS (SELECT FROM llm_requests_metadata_keys WHERE is_active)
    OR EXISTS (SELECT FROM llm_usage_metadata_names WHERE every_key) THEN
    PERFORM majordomo_fold_days();

    WITH cells AS (
      SELECT (created_at AT TIME ZONE 'UTC')::date AS day, k.key_name AS name, left(raw_metadata ->> k.key_name, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM (SELECT * FROM llm_requests WHERE created_at >= start AND outcome <> 'gap') AS changes
      -- A name that is active for one key is counted for the requests of all keys, so that its totals are complete.
      CROSS JOIN (SELECT key_name FROM llm_requests_metadata_keys WHERE is_active
            UNION SELECT name FROM llm_usage_metadata_names WHERE every_key) AS k
      WHERE raw_metadata ->> k.key_name IS NOT NULL GROUP BY 1, 2, 3
    ), fresh AS (
      SELECT day, name, value, row_number() OVER (PARTITION BY day, name ORDER BY value) AS nth FROM cells
      WHERE NOT EXISTS (
        SELECT FROM llm_usage_metadata m WHERE (m.day, m.name, m.value) = (cells.day, cells.name, cells.value))
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
    )
    INSERT INTO llm_usage_metadata AS t (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, place,
      sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
      sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
      sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
      sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
      sum(subscription_without_value)
    FROM placed GROUP BY 1, 2, 3
    ON CONFLICT (name, day, value) DO UPDATE SET
      requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
      input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
      cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
      cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
      output_tokens = t.output_tokens + excluded.output_tokens,
      reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
      input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
      total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
      exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
      unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
      inconsistent = t.inconsistent + excluded.inconsistent,
      response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
      subscription_requests = t.subscription_requests + excluded.subscription_requests,
      subscription_value = t.subscription_value + excluded.subscription_value,
      subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  END IF;
  PERFORM majordomo_count_runs(start, 'infinity');
  UPDATE majordomo_schema SET runs_since = least(runs_since, start) WHERE runs_since > start;
  PERFORM majordomo_fold_again(first_weekly_day);
  PERFORM majordomo_count_limit(id, coalesce(pruned, '-infinity')) FROM llm_limits WHERE measure <> 'concurrency';
END $$;

-- Rebuilds the totals of one metadata name on one day (UTC) from that day's requests, and returns their number. It reads
-- the requests before other writers have to wait. If some requests of that day changed in the meantime, it reads them once
-- more while the writers wait: each such change makes new row versions in llm_usage_daily, which `before` identifies.
CREATE OR REPLACE FUNCTION majordomo_count_name(wanted text, on_day date) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  totals json;
  before text;
  after text;
  counted bigint;
  stored integer;
BEGIN
  IF on_day::timestamp AT TIME ZONE 'UTC' < (SELECT pruned_before FROM majordomo_schema) THEN RETURN 0; END IF;
  FOR attempt IN 1..2 LOOP
    before := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    WITH cells AS (
      SELECT left(raw_metadata ->> wanted, 255) AS value,
        count(*) AS requests,
        count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
        coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
        coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
        coalesce(sum(cache_creation_1h_tokens), 0) AS cache_creation_1h_tokens,
        coalesce(sum(output_tokens), 0) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
        coalesce(sum(input_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS input_cost,
        coalesce(sum(output_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS output_cost,
        coalesce(sum(total_cost) FILTER (WHERE billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
        count(*) FILTER (WHERE total_cost IS NULL AND billing IS DISTINCT FROM 'subscription') AS without_cost,
        count(*) FILTER (WHERE cost_status = 'exact') AS exact,
        count(*) FILTER (WHERE cost_status = 'estimated') AS estimated,
        count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
        count(*) FILTER (WHERE cost_status = 'free') AS free,
        count(*) FILTER (WHERE cost_status = 'inconsistent') AS inconsistent,
        coalesce(sum(response_time_ms::bigint), 0) AS response_time_ms,
        coalesce(sum(majordomo_latency(outcome, response_time_ms)), 0) AS latencies,
        count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
        coalesce(sum(total_cost) FILTER (WHERE billing = 'subscription'), 0) AS subscription_value,
        count(*) FILTER (WHERE total_cost IS NULL AND billing = 'subscription') AS subscription_without_value
      FROM llm_requests
      WHERE created_at >= on_day::timestamp AT TIME ZONE 'UTC' AND created_at < (on_day + 1)::timestamp AT TIME ZONE 'UTC'
        AND outcome <> 'gap' AND raw_metadata ->> wanted IS NOT NULL
      GROUP BY 1
    ), placed AS (
      SELECT *, CASE WHEN row_number() OVER (ORDER BY requests DESC, value) <= 10000 THEN value ELSE '(other)' END AS place
      FROM cells
    ), places AS (
      SELECT on_day AS day, wanted AS name, place AS value,
        sum(requests) AS requests, sum(errors) AS errors, sum(input_tokens) AS input_tokens,
        sum(cached_tokens) AS cached_tokens, sum(cache_creation_tokens) AS cache_creation_tokens,
        sum(cache_creation_1h_tokens) AS cache_creation_1h_tokens, sum(output_tokens) AS output_tokens,
        sum(reasoning_tokens) AS reasoning_tokens, sum(input_cost) AS input_cost, sum(output_cost) AS output_cost,
        sum(total_cost) AS total_cost, sum(without_cost) AS without_cost, sum(exact) AS exact,
        sum(estimated) AS estimated, sum(unpriced) AS unpriced, sum(free) AS free, sum(inconsistent) AS inconsistent,
        sum(response_time_ms) AS response_time_ms, sum(latencies) AS latencies,
        sum(subscription_requests) AS subscription_requests, sum(subscription_value) AS subscription_value,
        sum(subscription_without_value) AS subscription_without_value
      FROM placed GROUP BY 3
    )
    SELECT json_agg(p) INTO totals FROM places p;
    PERFORM pg_advisory_xact_lock(7680, 2);
    after := (
      SELECT md5(string_agg(ctid::text || ' ' || xmin::text, ',' ORDER BY ctid)) FROM llm_usage_daily WHERE day = on_day);
    EXIT WHEN after IS NOT DISTINCT FROM before;
  END LOOP;
  PERFORM majordomo_fold_days();
  DELETE FROM llm_usage_metadata WHERE (name, day) = (wanted, on_day);
  DELETE FROM llm_usage_metadata_values WHERE (name, day) = (wanted, on_day);
  WITH written AS (
    INSERT INTO llm_usage_metadata (name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value,
      subscription_without_value)
    SELECT name, day, value,
      requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
      reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
      inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value
    FROM json_populate_recordset(NULL::llm_usage_metadata, totals)
    RETURNING value, requests
  )
  SELECT coalesce(sum(requests), 0), count(*) FILTER (WHERE value <> '(other)') INTO counted, stored FROM written;
  IF stored > 0 THEN
    INSERT INTO llm_usage_metadata_values (name, day, distinct_values) VALUES (wanted, on_day, stored);
  END IF;
  IF on_day < (SELECT folded_before FROM majordomo_schema) THEN
    PERFORM majordomo_fold_again(on_day, on_day + 1, wanted);
  END IF;
  RETURN counted;
END $$;

-- Rebuilds the rollup of runs from the requests, for the hours from `since` up to, but not including, `until`.
CREATE OR REPLACE FUNCTION majordomo_count_runs(since timestamptz, until timestamptz) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- Who waits for the second lock adds its requests afterwards; all others are seen here.
  LOCK TABLE llm_requests IN ROW EXCLUSIVE MODE;
  PERFORM pg_advisory_xact_lock(7680, 2);
  DELETE FROM llm_usage_runs WHERE hour >= since AND hour < until;
  INSERT INTO llm_usage_runs AS t (hour, run, long_id, started_at, ended_at,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, output_tokens, unpriced, estimated,
    total_cost, priced, subscription_requests, subscription_value, subscription_priced)
  SELECT date_trunc('hour', created_at, 'UTC'),
    CASE WHEN length(run_id) > 255 THEN left(run_id, 255) || encode(sha256(convert_to(run_id, 'UTF8')), 'hex') ELSE run_id END,
    max(run_id) FILTER (WHERE length(run_id) > 255), min(requested_at), max(created_at),
    count(*) AS requests,
    count(*) FILTER (WHERE status_code >= 400 OR outcome IN ('upstream_broke', 'gateway_died', 'shutdown')) AS errors,
    coalesce(sum(input_tokens), 0) AS input_tokens, coalesce(sum(cached_tokens), 0) AS cached_tokens,
    coalesce(sum(cache_creation_tokens), 0) AS cache_creation_tokens,
    coalesce(sum(output_tokens), 0) AS output_tokens, count(*) FILTER (WHERE cost_status = 'unpriced') AS unpriced,
    count(*) FILTER (WHERE cost_status IN ('estimated', 'inconsistent')) AS estimated,
    coalesce(sum(total_cost) FILTER (WHERE cost_status <> 'unpriced' AND billing IS DISTINCT FROM 'subscription'), 0) AS total_cost,
    count(*) FILTER (WHERE total_cost IS NOT NULL AND cost_status <> 'unpriced' AND billing IS DISTINCT FROM 'subscription') AS priced,
    count(*) FILTER (WHERE billing = 'subscription') AS subscription_requests,
    coalesce(sum(total_cost) FILTER (WHERE cost_status <> 'unpriced' AND billing = 'subscription'), 0) AS subscription_value,
    count(*) FILTER (WHERE total_cost IS NOT NULL AND cost_status <> 'unpriced' AND billing = 'subscription') AS subscription_priced
  FROM (SELECT *, coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) AS run_id
    FROM (SELECT * FROM llm_requests WHERE created_at >= since AND created_at < until AND outcome <> 'gap') AS counted) AS requests
  WHERE run_id IS NOT NULL GROUP BY 1, 2
  ON CONFLICT (hour, run) DO UPDATE SET
    started_at = least(t.started_at, excluded.started_at), ended_at = greatest(t.ended_at, excluded.ended_at),
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens, unpriced = t.unpriced + excluded.unpriced,
    estimated = t.estimated + excluded.estimated, total_cost = t.total_cost + excluded.total_cost,
    priced = t.priced + excluded.priced,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_priced = t.subscription_priced + excluded.subscription_priced;
END $$;

-- Adds about `most` of the newest requests that the rollup of runs lacks, in whole hours. Returns whether there may be more.
-- Batches wait for it, so that it is called again and again with a small number.
CREATE OR REPLACE FUNCTION majordomo_count_past_runs(most integer) RETURNS boolean LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  until timestamptz;
  since timestamptz;
BEGIN
  LOCK TABLE llm_requests IN ROW EXCLUSIVE MODE;
  PERFORM pg_advisory_xact_lock(7680, 2);
  until := (SELECT runs_since FROM majordomo_schema);
  IF until = '-infinity' THEN RETURN false; END IF;
  since := coalesce((SELECT date_trunc('hour', created_at, 'UTC') FROM llm_requests
    WHERE coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) IS NOT NULL AND created_at < until
    ORDER BY created_at DESC OFFSET most LIMIT 1), '-infinity');
  PERFORM majordomo_count_runs(since, until);
  UPDATE majordomo_schema SET runs_since = since;
  RETURN since > '-infinity';
END $$;

-- Adds the days that ended since the last call to their weeks: with the first batch of a day, and before a day is counted
-- again. The caller holds pg_advisory_xact_lock(7680, 2).
CREATE OR REPLACE FUNCTION majordomo_fold_days() RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  since date := (SELECT coalesce(folded_before, '-infinity') FROM majordomo_schema);
  until date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
  IF since >= until THEN RETURN; END IF;
  INSERT INTO llm_usage_metadata_weekly AS t (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM llm_usage_metadata WHERE day >= since AND day < until GROUP BY 1, 2, 3
  ON CONFLICT (name, week, value) DO UPDATE SET
    requests = t.requests + excluded.requests, errors = t.errors + excluded.errors,
    input_tokens = t.input_tokens + excluded.input_tokens, cached_tokens = t.cached_tokens + excluded.cached_tokens,
    cache_creation_tokens = t.cache_creation_tokens + excluded.cache_creation_tokens,
    cache_creation_1h_tokens = t.cache_creation_1h_tokens + excluded.cache_creation_1h_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    input_cost = t.input_cost + excluded.input_cost, output_cost = t.output_cost + excluded.output_cost,
    total_cost = t.total_cost + excluded.total_cost, without_cost = t.without_cost + excluded.without_cost,
    exact = t.exact + excluded.exact, estimated = t.estimated + excluded.estimated,
    unpriced = t.unpriced + excluded.unpriced, free = t.free + excluded.free,
    inconsistent = t.inconsistent + excluded.inconsistent,
    response_time_ms = t.response_time_ms + excluded.response_time_ms, latencies = t.latencies + excluded.latencies,
    subscription_requests = t.subscription_requests + excluded.subscription_requests,
    subscription_value = t.subscription_value + excluded.subscription_value,
    subscription_without_value = t.subscription_without_value + excluded.subscription_without_value;
  UPDATE majordomo_schema SET folded_before = until;
END $$;

-- Rebuilds the weeks that have a day from `since` up to, but not including, `until`, for one metadata name or for all.
CREATE OR REPLACE FUNCTION majordomo_fold_again(since date, until date DEFAULT 'infinity', wanted text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
  first_week date := date_trunc('week', since);
  next_week date := CASE WHEN until = 'infinity' THEN until ELSE date_trunc('week', until - 1)::date + 7 END;
BEGIN
  PERFORM pg_advisory_xact_lock(7680, 2);
  DELETE FROM llm_usage_metadata_weekly
  WHERE week >= first_week AND week < next_week AND (wanted IS NULL OR name = wanted);
  INSERT INTO llm_usage_metadata_weekly (name, week, value,
    requests, errors, input_tokens, cached_tokens, cache_creation_tokens, cache_creation_1h_tokens, output_tokens,
    reasoning_tokens, input_cost, output_cost, total_cost, without_cost, exact, estimated, unpriced, free,
    inconsistent, response_time_ms, latencies, subscription_requests, subscription_value, subscription_without_value)
  SELECT name, date_trunc('week', day)::date, value,
    sum(requests), sum(errors), sum(input_tokens), sum(cached_tokens), sum(cache_creation_tokens),
    sum(cache_creation_1h_tokens), sum(output_tokens), sum(reasoning_tokens), sum(input_cost), sum(output_cost),
    sum(total_cost), sum(without_cost), sum(exact), sum(estimated), sum(unpriced), sum(free), sum(inconsistent),
    sum(response_time_ms), sum(latencies), sum(subscription_requests), sum(subscription_value),
    sum(subscription_without_value)
  FROM llm_usage_metadata
  WHERE day >= first_week AND day < least(next_week, (SELECT folded_before FROM majordomo_schema))
    AND (wanted IS NULL OR name = wanted)
  GROUP BY 1, 2, 3;
END $$;

-- Returns what the requests that exist say about the use of a limit, for its windows from `first` on and not before
-- counted_since. `with_pruned`: a limit without an end also counts the totals of days whose requests were pruned, where
-- they can tell its requests apart: they know the key, the provider and the model that answered, and no metadata. It is
-- one statement for the snapshot, because a STABLE function sees that of its caller.
CREATE OR REPLACE FUNCTION majordomo_limit_requests(wanted uuid, first timestamptz, with_pruned boolean)
RETURNS TABLE (value text, window_start timestamptz, requests bigint, input_tokens numeric, output_tokens numeric, cost numeric)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off AS $$
#variable_conflict use_column
DECLARE
  wanted_limit llm_limits := (SELECT l FROM llm_limits l WHERE l.id = wanted);
  since timestamptz := greatest(first, wanted_limit.counted_since);
  -- A window of a time zone in which midnight comes twice begins with the second one, after its first requests.
  rows_since timestamptz := CASE WHEN wanted_limit.window_unit <> 'total' THEN since - interval '2 hours' ELSE '-infinity' END;
  pruned timestamptz;
BEGIN
  IF with_pruned AND wanted_limit.window_unit = 'total' AND wanted_limit.metadata IS NULL
    AND coalesce(wanted_limit.per, 'key') IN ('key', 'model') THEN
    pruned := (SELECT pruned_before FROM majordomo_schema);
    rows_since := coalesce(pruned, '-infinity');
  END IF;
  RETURN QUERY
  SELECT u.value, u.window_start, sum(u.requests)::bigint, sum(u.input_tokens), sum(u.output_tokens), coalesce(sum(u.cost), 0)
  FROM (
    SELECT value, window_start, 1 AS requests, input_tokens, output_tokens, cost FROM (
    SELECT l.id AS limit_id, l.counted_since,
      CASE WHEN l.per IS NULL THEN '' WHEN l.per = 'key' THEN coalesce(r.majordomo_api_key_id::text, '')
        WHEN l.per = 'model' THEN left(r.model, 255) ELSE coalesce(left(r.raw_metadata ->> l.per, 255), '') END AS value,
      majordomo_limit_window(l.window_unit, r.created_at, l.tz) AS window_start,
      r.input_tokens, r.output_tokens, CASE WHEN r.billing IS DISTINCT FROM 'subscription' THEN r.total_cost END AS cost
    FROM (SELECT wanted_limit.*) AS l JOIN (
      -- Two halves, of which one is empty, so that the requests of one key are found by their index.
      SELECT * FROM llm_requests WHERE outcome NOT IN ('gap', 'rejected') AND created_at >= rows_since AND wanted_limit.api_key_id IS NULL
      UNION ALL SELECT * FROM llm_requests WHERE outcome NOT IN ('gap', 'rejected') AND created_at >= rows_since
        AND majordomo_api_key_id = wanted_limit.api_key_id) AS r ON (l.api_key_id IS NULL OR l.api_key_id = r.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = r.provider)
      AND (l.model IS NULL OR l.model IN (r.model, r.requested_model)
        OR right(l.model, 1) = '*'
          AND (starts_with(r.model, left(l.model, -1)) OR starts_with(r.requested_model, left(l.model, -1))))
      AND (l.metadata IS NULL OR NOT EXISTS (
        SELECT FROM jsonb_each_text(l.metadata) AS m
        WHERE CASE WHEN right(m.value, 1) = '*' THEN starts_with(r.raw_metadata ->> m.key, left(m.value, -1))
          ELSE r.raw_metadata ->> m.key = m.value END IS NOT TRUE))
    ) AS counted
    UNION ALL
    SELECT CASE l.per WHEN 'key' THEN coalesce(nullif(d.majordomo_api_key_id, '00000000-0000-0000-0000-000000000000')::text, '')
        WHEN 'model' THEN d.model ELSE '' END,
      'epoch', d.requests, d.input_tokens, d.output_tokens, d.total_cost
    FROM (SELECT wanted_limit.*) AS l JOIN llm_usage_daily d ON d.day < (pruned AT TIME ZONE 'UTC')::date
      AND (l.api_key_id IS NULL OR l.api_key_id = d.majordomo_api_key_id)
      AND (l.provider IS NULL OR l.provider = d.provider)
      AND (l.model IS NULL OR l.model = d.model OR right(l.model, 1) = '*' AND starts_with(d.model, left(l.model, -1)))
  ) AS u
  WHERE u.window_start >= since GROUP BY 1, 2;
END $$;

-- <<< counting functions
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (23, 'runs', false);
END $version$;


-- ## Version 24: websockets -------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 24 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0024 websockets
-- breaking: no

-- How the client and the gateway exchanged the request and its response: 'websocket'. NULL: by a request of its own, which
-- holds for all rows from before this version.
ALTER TABLE llm_requests ADD COLUMN transport text;
-- The connection of a row whose transport is 'websocket'. All responses of one connection share it.
ALTER TABLE llm_requests ADD COLUMN websocket_id uuid;
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (24, 'websockets', false);
END $version$;


-- ## Version 25: notifications ----------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 25 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0025 notifications
-- breaking: no

-- What operators are told. Gateways that find the same thing write the same kind, subject and period, so that it is sent once
-- (src/database/notifications.ts).
CREATE TABLE majordomo_notifications (
  id         uuid PRIMARY KEY,
  identity   text NOT NULL UNIQUE,               -- SHA-256 of kind, subject and period, which can be long
  kind       text NOT NULL,
  subject    text NOT NULL,                      -- what it is about
  period     text NOT NULL,                      -- when it is sent once; '': it is never sent again
  severity   text NOT NULL,                      -- info, warning or critical
  found_at   timestamptz NOT NULL,
  facts      jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_majordomo_notifications_created_at ON majordomo_notifications (created_at);

-- One message for each channel of a notification. A gateway that sends it moves next_attempt_at into the future first, so that
-- no other one sends it meanwhile, and another one does if the gateway dies.
CREATE TABLE majordomo_deliveries (
  id              uuid NOT NULL UNIQUE,          -- the same in all attempts, so that receivers can tell
  notification_id uuid NOT NULL REFERENCES majordomo_notifications ON DELETE CASCADE,
  channel         text NOT NULL,                 -- its name in the settings
  state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
  attempts        integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  attempted_at    timestamptz,
  sent_at         timestamptz,
  error           text,                          -- why the last attempt failed
  PRIMARY KEY (notification_id, channel)
);
CREATE INDEX idx_majordomo_deliveries_waiting ON majordomo_deliveries (next_attempt_at) WHERE state = 'waiting';

-- Work that one of the gateways does at a time, such as a digest, and another one if that gateway dies.
CREATE TABLE majordomo_notification_runs (
  name        text PRIMARY KEY,
  started_at  timestamptz NOT NULL,
  finished_at timestamptz                        -- of the last run that succeeded
);
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (25, 'notifications', false);
END $version$;


-- ## Version 26: telemetry --------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 26 THEN RETURN; END IF;

  EXECUTE $migration$
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
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (26, 'telemetry', false);
END $version$;


-- ## Version 27: partitions -------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 27 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0027 partitions
-- breaking: no
--
-- llm_requests becomes a table of partitions by month, so that old requests are dropped instead of deleted. The key of a
-- partition is the id: UUIDs of version 7 begin with the time in ms, so they are in the order of time, and the primary key
-- and ON CONFLICT (id) stay as they are. Programs that do not know the migration go on as before.
--
-- * llm_requests_first: everything before the month after this migration. It is the table from before, which is not copied.
-- * llm_requests_2027_01 and so on: a month (UTC) each. Gateways add them three months ahead.
-- * llm_requests_unordered: ids from the year 2100 on. Almost all random ids (version 4) are among them.
-- * llm_requests_default: the rest, so that there is a place for every id: clocks that are years ahead, requests of
--   months that were dropped, and a few random ids.
--
-- Write to llm_requests only. The triggers that count requests do not run for a statement that names a partition.

-- Batches and readers hold llm_requests before anything else, so that is what this migration waits for.
LOCK TABLE llm_requests IN ACCESS EXCLUSIVE MODE;

-- The functions below run with the rights of their owner, so they must not find tables of a temporary schema.
SELECT set_config('majordomo.path', current_setting('search_path'), true);
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- The smallest id of a moment.
CREATE FUNCTION majordomo_first_id(at timestamptz) RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- The partitions, with the ids at which they begin and before which they end. NULL: no bound.
CREATE FUNCTION majordomo_partitions() RETURNS TABLE (name text, from_id uuid, until_id uuid, is_default boolean)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT c.relname::text, substring(bound FROM 'FROM \(''([0-9a-f-]+)''\)')::uuid,
    substring(bound FROM 'TO \(''([0-9a-f-]+)''\)')::uuid, bound = 'DEFAULT'
  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid CROSS JOIN LATERAL pg_get_expr(relpartbound, c.oid) AS bound
  WHERE inhparent = 'llm_requests'::regclass
$$;

-- Adds the partitions of this month and the next three that are missing, and returns how many. Whoever may insert requests
-- may call it. It holds no lock for which a batch waits: SHARE UPDATE EXCLUSIVE for the table, and ACCESS EXCLUSIVE for the
-- default partition, which is scanned and has few rows. A month that has more than 10,000 rows in the default partition
-- stays there, because moving them would take long. So does one that has any, if a foreign key of another table refers to
-- requests: moving a row means deleting it, which would delete what refers to it.
CREATE FUNCTION majordomo_add_partitions() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  this_month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
  month timestamp;
  partition text;
  start_id uuid;
  end_id uuid;
  max_moved bigint := CASE WHEN EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = 'llm_requests'::regclass)
    THEN 0 ELSE 10000 END;
  columns text := (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
    WHERE attrelid = 'llm_requests'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '');
  added integer := 0;
BEGIN
  IF NOT has_table_privilege(session_user, 'llm_requests', 'INSERT') THEN
    RAISE insufficient_privilege USING MESSAGE = 'the user may not insert requests';
  END IF;
  PERFORM pg_advisory_xact_lock(7680, 10);
  FOR month IN SELECT generate_series(this_month, this_month + interval '3 months', interval '1 month') LOOP
    partition := to_char(month, '"llm_requests_"YYYY_MM');
    start_id := majordomo_first_id(month AT TIME ZONE 'UTC');
    end_id := majordomo_first_id((month + interval '1 month') AT TIME ZONE 'UTC');
    CONTINUE WHEN to_regclass(partition) IS NOT NULL OR EXISTS (
      SELECT FROM majordomo_partitions() p
      WHERE NOT is_default AND (from_id IS NULL OR from_id < end_id) AND (until_id IS NULL OR until_id > start_id));
    LOCK TABLE ONLY llm_requests IN SHARE UPDATE EXCLUSIVE MODE;
    LOCK TABLE llm_requests_default IN ACCESS EXCLUSIVE MODE;
    CONTINUE WHEN (SELECT count(*) > max_moved FROM (
      SELECT FROM llm_requests_default WHERE id >= start_id AND id < end_id LIMIT max_moved + 1) AS few);
    EXECUTE format('CREATE TABLE %I (LIKE llm_requests INCLUDING ALL EXCLUDING INDEXES)', partition);
    EXECUTE format('WITH moved AS (DELETE FROM llm_requests_default WHERE id >= %L AND id < %L RETURNING %s)
      INSERT INTO %I (%s) SELECT * FROM moved', start_id, end_id, columns, partition, columns);
    EXECUTE format('ALTER TABLE llm_requests ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, start_id, end_id);
    added := added + 1;
  END LOOP;
  RETURN added;
END $$;

-- Takes a partition out of llm_requests if it ends before a midnight and all its requests ended before it too; returns
-- whether it did. Whoever may delete requests may call it. It needs an ACCESS EXCLUSIVE lock for a few milliseconds, so
-- the caller sets lock_timeout. The requests are then in a table that majordomo_drop_detached() drops.
CREATE FUNCTION majordomo_detach_partition(partition text, before timestamptz) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  newest timestamptz;
BEGIN
  IF NOT has_table_privilege(session_user, 'llm_requests', 'DELETE') THEN
    RAISE insufficient_privilege USING MESSAGE = 'the user may not delete requests';
  END IF;
  PERFORM pg_advisory_xact_lock(7680, 6);
  LOCK TABLE ONLY llm_requests IN ACCESS EXCLUSIVE MODE;
  IF NOT EXISTS (SELECT FROM majordomo_partitions() p WHERE p.name = partition AND until_id <= majordomo_first_id(before)) THEN
    RETURN false;
  END IF;
  EXECUTE format('SELECT max(created_at) FROM %I', partition) INTO newest;
  IF newest >= before THEN RETURN false; END IF;
  EXECUTE format('ALTER TABLE llm_requests DETACH PARTITION %I', partition);
  EXECUTE format('ALTER TABLE %I RENAME TO %I', partition, 'majordomo_dropped_' || left(md5(random()::text), 8));
  RETURN true;
END $$;

-- Drops every partition that was taken out of llm_requests, and returns the number of their requests.
CREATE FUNCTION majordomo_drop_detached() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  detached text;
  requests bigint;
  total bigint := 0;
BEGIN
  IF NOT has_table_privilege(session_user, 'llm_requests', 'DELETE') THEN
    RAISE insufficient_privilege USING MESSAGE = 'the user may not delete requests';
  END IF;
  PERFORM pg_advisory_xact_lock(7680, 6);
  FOR detached IN
    SELECT relname FROM pg_class WHERE relname ~ '^majordomo_dropped_[0-9a-f]{8}$' AND relkind = 'r'
      AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'llm_requests'::regclass)
  LOOP
    EXECUTE format('SELECT count(*) FROM %I', detached) INTO requests;
    EXECUTE format('DROP TABLE %I', detached);
    total := total + requests;
  END LOOP;
  RETURN total;
END $$;

-- Refreshes the statistics of the whole table once a day, which autovacuum does only for its partitions.
CREATE FUNCTION majordomo_analyze_requests() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
  IF NOT has_table_privilege(session_user, 'llm_requests', 'INSERT') THEN
    RAISE insufficient_privilege USING MESSAGE = 'the user may not insert requests';
  END IF;
  IF EXISTS (SELECT FROM pg_stat_user_tables
    WHERE relid = 'llm_requests'::regclass AND last_analyze > now() - interval '20 hours') THEN RETURN; END IF;
  ANALYZE llm_requests;
END $$;

SELECT set_config('search_path', current_setting('majordomo.path'), true);


-- ## What others attached to the table
--
-- It would stay with the partition of the past. Views, grants, triggers, indexes and foreign keys are moved to the new
-- table. What cannot be moved ends the migration, which names it. The foreign key of a table of the Go gateway is dropped,
-- because it would not let requests be pruned.

DO $$
DECLARE
  ours oid := 'llm_requests'::regclass;
  obstacles text;
  kept text[];
BEGIN
  SELECT string_agg(what, ', ' ORDER BY what) INTO obstacles FROM (
    SELECT format('the materialized view %s', ev_class::regclass) AS what
      FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = ev_class
      WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = ours AND c.relkind = 'm'
    UNION SELECT format('the foreign key %s', conname) FROM pg_constraint
      WHERE contype = 'f' AND conrelid = ours
    UNION SELECT format('the unique index %s', indexrelid::regclass) FROM pg_index
      WHERE indrelid = ours AND indisunique AND NOT indisprimary
    UNION SELECT format('the policy %s', polname) FROM pg_policy WHERE polrelid = ours
    UNION SELECT format('the publication %s', pubname) FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid
      WHERE prrelid = ours
    UNION SELECT format('the function %s', objid::regprocedure) FROM pg_depend
      WHERE classid = 'pg_proc'::regclass AND refobjid = ours
    UNION SELECT format('the table %s, which inherits from it', inhrelid::regclass) FROM pg_inherits WHERE inhparent = ours
  ) AS found;
  IF obstacles IS NOT NULL THEN
    RAISE dependent_objects_still_exist USING MESSAGE = 'llm_requests cannot be partitioned because of ' || obstacles,
      HINT = 'Drop what is named, apply schema.sql, and create it again.';
  END IF;

  -- Triggers fire in the order of their names, so it does not matter in which order they are made.
  SELECT array_agg(statement) INTO kept FROM (
    SELECT pg_get_triggerdef(oid) AS statement FROM pg_trigger WHERE tgrelid = ours AND NOT tgisinternal
    UNION ALL SELECT format('ALTER TABLE llm_requests ENABLE %s TRIGGER %I', CASE tgenabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END, tgname)
      FROM pg_trigger WHERE tgrelid = ours AND NOT tgisinternal AND tgenabled IN ('A', 'R')
    UNION ALL SELECT format('CREATE OR REPLACE VIEW %s%s AS %s', c.oid::regclass,
      ' WITH (' || array_to_string(c.reloptions, ', ') || ')', pg_get_viewdef(c.oid))
      FROM pg_class c WHERE c.relkind = 'v' AND EXISTS (
        SELECT FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = ours AND r.ev_class = c.oid)
    UNION ALL SELECT format('CREATE INDEX %I ON llm_requests %s', relname, substring(text FROM ' (USING .*)$'))
      FROM pg_index JOIN pg_class c ON c.oid = indexrelid CROSS JOIN LATERAL pg_get_indexdef(indexrelid) AS text
      WHERE indrelid = ours AND NOT indisprimary AND indisvalid AND relname NOT IN (
        'idx_llm_requests_requested_at', 'idx_llm_requests_created_at', 'idx_llm_requests_majordomo_key_time',
        'idx_llm_requests_indexed_metadata_gin', 'idx_llm_requests_run', 'idx_llm_requests_runs_created_at',
        'idx_llm_requests_unusual', 'idx_llm_requests_provider_request', 'idx_llm_requests_usage_key')
    UNION ALL SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
      FROM pg_constraint WHERE contype = 'f' AND confrelid = ours AND conrelid <> coalesce(to_regclass('claude_request_details'), 0)
    UNION ALL SELECT format('COMMENT ON TABLE llm_requests IS %L', comment) FROM obj_description(ours, 'pg_class') AS comment
      WHERE comment IS NOT NULL
    UNION ALL SELECT format('GRANT %s ON llm_requests TO %s%s', concat(privilege_type, ' (' || quote_ident(attname) || ')'),
      CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
      CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM (SELECT NULL AS attname, relacl AS acl FROM pg_class WHERE oid = ours
        UNION ALL SELECT attname, attacl FROM pg_attribute WHERE attrelid = ours AND attacl IS NOT NULL) AS acls
      CROSS JOIN aclexplode(acl) WHERE pg_get_userbyid(grantee) <> current_user
    UNION ALL SELECT format('ALTER TABLE llm_requests OWNER TO %I', pg_get_userbyid(relowner)) FROM pg_class
      WHERE oid = ours AND pg_get_userbyid(relowner) <> current_user
  ) AS statements;
  PERFORM set_config('majordomo.kept', to_json(kept)::text, true);
END $$;


-- ## The table becomes a partition
--
-- A database of the Go gateway has only random ids. Its table becomes the partition of those, so that few rows move.

DO $$
DECLARE
  far uuid := majordomo_first_id('2100-01-01T00:00:00Z');
  place text := (SELECT CASE WHEN count(*) FILTER (WHERE id >= far) * 2 > count(*) THEN 'llm_requests_unordered'
    ELSE 'llm_requests_first' END FROM llm_requests);
  found record;
BEGIN
  FOR found IN SELECT tgname AS name FROM pg_trigger WHERE tgrelid = 'llm_requests'::regclass AND NOT tgisinternal LOOP
    EXECUTE format('DROP TRIGGER %I ON llm_requests', found.name);
  END LOOP;
  FOR found IN SELECT conrelid::regclass AS of, conname AS name FROM pg_constraint
    WHERE contype = 'f' AND confrelid = 'llm_requests'::regclass
  LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.of, found.name);
  END LOOP;
  FOR found IN SELECT relname AS name FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'llm_requests'::regclass LOOP
    EXECUTE format('ALTER INDEX %I RENAME TO %I', found.name,
      left(regexp_replace(found.name, '^(idx_)?(llm_requests)?_?', place || '_'), 63));
  END LOOP;
  FOR found IN SELECT stxname AS name FROM pg_statistic_ext WHERE stxrelid = 'llm_requests'::regclass LOOP
    EXECUTE format('ALTER STATISTICS %I RENAME TO %I', found.name,
      left(regexp_replace(found.name, '^(llm_requests)?_?', place || '_'), 63));
  END LOOP;
  EXECUTE format('ALTER TABLE llm_requests RENAME TO %I', place);
  EXECUTE format('CREATE TABLE llm_requests (LIKE %I INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS)
    PARTITION BY RANGE (id)', place);
  -- A constraint that was never checked for the rows of before cannot become one that was.
  FOR found IN SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE conrelid = place::regclass AND contype = 'c' AND NOT convalidated
  LOOP
    EXECUTE format('ALTER TABLE llm_requests DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', found.name, found.name, found.definition);
  END LOOP;
END $$;

ALTER TABLE llm_requests ADD CONSTRAINT llm_requests_pkey PRIMARY KEY (id);
CREATE INDEX idx_llm_requests_requested_at ON llm_requests USING brin (requested_at) WITH (autosummarize = on);
CREATE INDEX idx_llm_requests_created_at ON llm_requests (created_at);
CREATE INDEX idx_llm_requests_majordomo_key_time ON llm_requests (majordomo_api_key_id, requested_at DESC);
CREATE INDEX idx_llm_requests_indexed_metadata_gin ON llm_requests USING gin (indexed_metadata);
CREATE INDEX idx_llm_requests_run ON llm_requests
  (left(coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')), 255))
  WHERE coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) IS NOT NULL;
CREATE INDEX idx_llm_requests_runs_created_at ON llm_requests (created_at)
  WHERE coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')) IS NOT NULL;
CREATE INDEX idx_llm_requests_unusual ON llm_requests (created_at)
  INCLUDE (status_code, outcome, billing, cost_status, total_cost, input_tokens, cached_tokens, cache_creation_tokens, output_tokens)
  WHERE status_code <> 200 OR outcome <> 'complete';
CREATE INDEX idx_llm_requests_provider_request ON llm_requests (provider_request_id) WHERE provider_request_id IS NOT NULL;
CREATE INDEX idx_llm_requests_usage_key ON llm_requests (usage_key) WHERE usage_key IS NOT NULL;
CREATE STATISTICS llm_requests_run ON
  (coalesce(nullif(raw_metadata ->> 'Trace-Id', ''), nullif(raw_metadata ->> 'Session-Id', '')))
  FROM llm_requests;

-- The rows that are not of the partition that the table becomes.
DO $$
DECLARE
  border uuid := majordomo_first_id((date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
  far uuid := majordomo_first_id('2100-01-01T00:00:00Z');
BEGIN
  CREATE TABLE llm_requests_default (LIKE llm_requests INCLUDING ALL);
  IF to_regclass('llm_requests_first') IS NULL THEN
    CREATE TABLE llm_requests_first (LIKE llm_requests INCLUDING ALL);
    WITH moved AS (DELETE FROM llm_requests_unordered WHERE id < border RETURNING *)
    INSERT INTO llm_requests_first SELECT * FROM moved;
    WITH moved AS (DELETE FROM llm_requests_unordered WHERE id < far RETURNING *)
    INSERT INTO llm_requests_default SELECT * FROM moved;
  ELSE
    CREATE TABLE llm_requests_unordered (LIKE llm_requests INCLUDING ALL);
    WITH moved AS (DELETE FROM llm_requests_first WHERE id >= far RETURNING *)
    INSERT INTO llm_requests_unordered SELECT * FROM moved;
    WITH moved AS (DELETE FROM llm_requests_first WHERE id >= border RETURNING *)
    INSERT INTO llm_requests_default SELECT * FROM moved;
  END IF;
END $$;

ALTER TABLE llm_requests ATTACH PARTITION llm_requests_first FOR VALUES FROM (MINVALUE)
  TO (majordomo_first_id((date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC'));
ALTER TABLE llm_requests ATTACH PARTITION llm_requests_unordered FOR VALUES
  FROM (majordomo_first_id('2100-01-01T00:00:00Z')) TO (MAXVALUE);
ALTER TABLE llm_requests ATTACH PARTITION llm_requests_default DEFAULT;

DO $$
DECLARE
  statement text;
BEGIN
  PERFORM majordomo_add_partitions();
  FOR statement IN SELECT json_array_elements_text(current_setting('majordomo.kept')::json) LOOP
    EXECUTE statement;
  END LOOP;
END $$;

-- PostgreSQL does so by itself only for the partitions.
ANALYZE llm_requests;
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (27, 'partitions', false);
END $version$;


-- ## Version 28: cards ------------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 28 THEN RETURN; END IF;

  EXECUTE $migration$
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
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (28, 'cards', false);
END $version$;


-- ## Version 29: key_index --------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 29 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0029 key_index
-- breaking: no
--
-- The index on the key and the time of a request took 40 to 70 bytes per request: its entries are all different, and those
-- of many keys are added in turns, so its pages are half empty. Nothing reads it in the order of time: lists are in the order
-- of created_at. An index on the key alone stores each key once for many requests, and takes about 8 bytes.

LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;

CREATE INDEX idx_llm_requests_majordomo_key ON llm_requests (majordomo_api_key_id);
DROP INDEX IF EXISTS idx_llm_requests_majordomo_key_time;
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (29, 'key_index', false);
END $version$;


-- ## Version 30: archive ----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 30 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0030 archive
-- breaking: no
--
-- The days of llm_requests that were written to Parquet files. A day and its files are read by `archive` and `verify`,
-- and retention asks whether a day may go. A program that does not know these tables writes rows as before, and the
-- triggers below find its late rows, too.

-- Batches hold llm_requests before anything else, so that is what this migration waits for.
LOCK TABLE llm_requests IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE llm_archive_days (
  day          date PRIMARY KEY,                     -- in UTC, by created_at
  -- writing: not complete. verified: the files have been read back and agree with the totals of reports.
  -- late: requests came after the files were written. changed: requests in the files have changed since.
  -- failed: the files do not agree with the totals.
  status       text NOT NULL CHECK (status IN ('writing', 'verified', 'late', 'changed', 'failed')),
  place        text NOT NULL,                        -- a directory, or s3://bucket/prefix
  rows         bigint NOT NULL DEFAULT 0,            -- in the files
  cost         numeric NOT NULL DEFAULT 0,           -- USD, without subscriptions
  bytes        bigint NOT NULL DEFAULT 0,
  files        jsonb NOT NULL DEFAULT '[]',          -- one object per file: its name, rows, sums, digest and range
  problem      text,                                 -- why the day is not verified
  written_at   timestamptz NOT NULL DEFAULT now(),
  verified_at  timestamptz,
  CONSTRAINT llm_archive_days_are_numbers CHECK (abs(cost) < 'Infinity')
);

-- The requests that were stored when the archive had already begun with their day. Each is in an extra file of the day,
-- whose name is here once it was chosen, and in no other file.
CREATE TABLE llm_archive_late (
  id    uuid PRIMARY KEY,
  day   date NOT NULL,
  file  text
);
CREATE INDEX idx_llm_archive_late_day ON llm_archive_late (day, file);

-- The process that writes the archive. It renews the lease while it works, and another one may have it when it has ended.
CREATE TABLE majordomo_archive_lease (
  one     boolean PRIMARY KEY DEFAULT true CHECK (one),
  holder  uuid NOT NULL,
  name    text NOT NULL,
  until   timestamptz NOT NULL
);

-- Whether retention and prune keep days that are not verified in the archive: the setting archive.before_prune.
ALTER TABLE majordomo_schema ADD COLUMN archive_required boolean NOT NULL DEFAULT false;
-- The name of this database in the places of its archive, so that no other database writes over its files.
ALTER TABLE majordomo_schema ADD COLUMN archive_id uuid;
UPDATE majordomo_schema SET archive_id = gen_random_uuid();
ALTER TABLE majordomo_schema ALTER COLUMN archive_id SET DEFAULT gen_random_uuid(), ALTER COLUMN archive_id SET NOT NULL;

-- Remembers new requests of days with which the archive has begun. Triggers run in the order of their names, and those
-- that count requests hold pg_advisory_xact_lock(7680, 2) by then. A day begins under the same lock, so each request is
-- either visible to whoever writes the files of its day, or remembered here.
CREATE FUNCTION majordomo_archive_added() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  -- Nearly every batch is newer than all days of the archive.
  IF NOT EXISTS (
    SELECT FROM llm_archive_days WHERE day >= (SELECT (min(created_at) AT TIME ZONE 'UTC')::date FROM added)
  ) THEN RETURN NULL; END IF;
  WITH late AS (
    INSERT INTO llm_archive_late (id, day)
    SELECT a.id, d.day FROM added a JOIN llm_archive_days d ON d.day = (a.created_at AT TIME ZONE 'UTC')::date ORDER BY a.id
    ON CONFLICT (id) DO UPDATE SET day = excluded.day, file = NULL
    RETURNING day
  )
  UPDATE llm_archive_days SET status = 'late' WHERE day IN (SELECT day FROM late) AND status = 'verified';
  RETURN NULL;
END $$;
CREATE TRIGGER majordomo_then_archive_added AFTER INSERT ON llm_requests
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION majordomo_archive_added();

-- Marks days of the archive whose requests have changed, for example because they were priced again. Pruning and whatever
-- else changes no total is left out: the archive keeps what was pruned.
CREATE FUNCTION majordomo_archive_changed() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  IF current_setting('majordomo.same_sums', true) = 'on' THEN RETURN NULL; END IF;
  IF NOT EXISTS (SELECT FROM llm_archive_days) THEN RETURN NULL; END IF;
  UPDATE llm_archive_days SET status = 'changed'
  WHERE status <> 'changed' AND day IN (SELECT (created_at AT TIME ZONE 'UTC')::date FROM before_change);
  RETURN NULL;
END $$;
CREATE TRIGGER majordomo_then_archive_removed AFTER DELETE ON llm_requests
  REFERENCING OLD TABLE AS before_change FOR EACH STATEMENT EXECUTE FUNCTION majordomo_archive_changed();
CREATE TRIGGER majordomo_then_archive_changed AFTER UPDATE ON llm_requests
  REFERENCING OLD TABLE AS before_change FOR EACH STATEMENT EXECUTE FUNCTION majordomo_archive_changed();

-- A request whose time was corrected to another day is new there.
CREATE FUNCTION majordomo_archive_moved() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET jit = off AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM llm_archive_days) THEN RETURN NULL; END IF;
  WITH moved AS (
    SELECT n.id, (n.created_at AT TIME ZONE 'UTC')::date AS day FROM now_moved n JOIN before_move o ON o.id = n.id
    WHERE (n.created_at AT TIME ZONE 'UTC')::date <> (o.created_at AT TIME ZONE 'UTC')::date
  ), forgotten AS (
    DELETE FROM llm_archive_late l USING moved m WHERE l.id = m.id AND NOT EXISTS (SELECT FROM llm_archive_days d WHERE d.day = m.day)
  ), late AS (
    INSERT INTO llm_archive_late (id, day) SELECT m.id, m.day FROM moved m JOIN llm_archive_days d ON d.day = m.day ORDER BY m.id
    ON CONFLICT (id) DO UPDATE SET day = excluded.day, file = NULL
    RETURNING day
  )
  UPDATE llm_archive_days SET status = 'late' WHERE day IN (SELECT day FROM late) AND status = 'verified';
  RETURN NULL;
END $$;
CREATE TRIGGER majordomo_then_archive_moved AFTER UPDATE ON llm_requests
  REFERENCING OLD TABLE AS before_move NEW TABLE AS now_moved FOR EACH STATEMENT EXECUTE FUNCTION majordomo_archive_moved();
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (30, 'archive', false);
END $version$;


-- ## Version 31: imports ----------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 31 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0031 imports
-- breaking: no
--
-- Requests that other products have recorded can be imported. They have `source` = 'import', which the column has had place for
-- since 0026, and `usage ->> 'import'` is the id of their import. Views with the columns of the Go gateway let statements run that
-- were written for it.

-- One row for each import. A run that adds no request has none.
CREATE TABLE llm_imports (
  id          uuid PRIMARY KEY,
  source      text NOT NULL,                          -- the product, such as litellm
  actor       text NOT NULL,                          -- who imported it
  started_at  timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,                            -- NULL: it runs, or was interrupted
  requests    bigint NOT NULL DEFAULT 0,              -- the requests that it has added
  unpriced    bigint NOT NULL DEFAULT 0,              -- of them, those without a cost
  total_cost  numeric(20,12) NOT NULL DEFAULT 0,      -- USD, of those with a cost
  first_at    timestamptz,                            -- when the first of its requests ended
  last_at     timestamptz,                            -- and the last
  undone_at   timestamptz,                            -- when its requests were removed; NULL: they were not, or not all
  CONSTRAINT llm_imports_are_numbers CHECK (abs(total_cost) < 'Infinity')
);


-- ## Views with the columns of the Go gateway, in its second version
-- Costs are not rounded, and a cost that is not known is NULL, where the Go gateway had 0. The Go gateway's input_cost has no
-- part for cached tokens and cache writes, and its names of metadata are in lower case. What it does not record here is NULL.
-- Columns that only a database of the Go gateway has are read by to_jsonb, because other databases lack them.

-- The amounts of the lines of a certificate whose buckets begin with a text.
CREATE FUNCTION majordomo_amount(price jsonb, bucket text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(sum((line ->> 'amount')::numeric), 0) FROM jsonb_array_elements(coalesce(price -> 'lines', '[]')) line
  WHERE starts_with(line ->> 'bucket', bucket)
$$;

-- A column that a statement does not select costs nothing.
CREATE VIEW llm_requests_compat AS
SELECT id, majordomo_api_key_id,
  coalesce(provider_api_key_hash, (SELECT h.hash FROM llm_credential_hashes h WHERE h.id = r.provider_api_key_hash_id)) AS provider_api_key_hash,
  provider_api_key_alias, provider, model, request_path, request_method, requested_at, responded_at, response_time_ms,
  least(input_tokens, 2147483647)::integer AS input_tokens,
  least(output_tokens, 2147483647)::integer AS output_tokens,
  least(cached_tokens, 2147483647)::integer AS cached_tokens,
  least(cache_creation_tokens, 2147483647)::integer AS cache_creation_tokens,
  least(greatest(cache_creation_tokens - cache_creation_1h_tokens, 0), 2147483647)::integer AS cache_creation_5m_tokens,
  least(cache_creation_1h_tokens, 2147483647)::integer AS cache_creation_1h_tokens,
  -- A row of the Go gateway has its costs of caches in columns, and any other row has them in its certificate.
  input_cost - coalesce((to_jsonb(r) ->> 'cached_cost')::numeric + (to_jsonb(r) ->> 'cache_creation_cost')::numeric,
    (SELECT majordomo_amount(f.price, 'cache') FROM llm_requests_full f WHERE f.id = r.id)) AS input_cost,
  CASE WHEN input_cost IS NOT NULL THEN coalesce((to_jsonb(r) ->> 'cached_cost')::numeric,
    (SELECT majordomo_amount(f.price, 'cacheRead') FROM llm_requests_full f WHERE f.id = r.id)) END AS cached_cost,
  CASE WHEN input_cost IS NOT NULL THEN coalesce((to_jsonb(r) ->> 'cache_creation_cost')::numeric,
    (SELECT majordomo_amount(f.price, 'cacheWrite') FROM llm_requests_full f WHERE f.id = r.id)) END AS cache_creation_cost,
  output_cost, total_cost, status_code, error_message,
  (SELECT jsonb_object_agg(lower(m.key), m.value) FROM jsonb_each(raw_metadata) m
    WHERE m.key NOT IN ('Trace-Id', 'Span-Path', 'Span-Name')) AS raw_metadata,
  (SELECT coalesce(jsonb_object_agg(lower(m.key), m.value), '{}') FROM jsonb_each(indexed_metadata) m) AS indexed_metadata,
  request_body, response_body, s3_key AS body_s3_key,
  cost_status <> 'unpriced' AS model_alias_found,
  coalesce((to_jsonb(r) ->> 'deprecated_model_redirected')::boolean, false) AS deprecated_model_redirected,
  to_jsonb(r) ->> 'original_model' AS original_model,
  raw_metadata ->> 'Trace-Id' AS trace_id,
  CASE WHEN raw_metadata ? 'Trace-Id' THEN coalesce(raw_metadata ->> 'Span-Path', '') END AS span_path,
  CASE WHEN raw_metadata ? 'Trace-Id' THEN coalesce(raw_metadata ->> 'Span-Name', model) END AS span_name,
  CASE WHEN raw_metadata ? 'Trace-Id' THEN id END AS span_id,
  (to_jsonb(r) ->> 'parent_span_id')::uuid AS parent_span_id,
  created_at,
  to_jsonb(r) ->> 'routed_provider' AS routed_provider,
  to_jsonb(r) ->> 'routing_reason' AS routing_reason,
  to_jsonb(r) ->> 'routing_original_model' AS routing_original_model
FROM llm_requests r
WHERE outcome <> 'gap';

CREATE VIEW api_keys_compat AS
SELECT id, key_hash, name, description, is_active, created_at, revoked_at, last_used_at, request_count, updated_at,
  'passthrough'::text AS deprecated_model_behavior
FROM api_keys;

CREATE VIEW llm_requests_metadata_keys_compat AS
SELECT majordomo_api_key_id, lower(key_name) AS key_name, display_name, key_type, is_required, is_active, activated_at, request_count,
  last_seen_at, NULL::bytea AS hll_state, approx_cardinality, NULL::timestamptz AS hll_updated_at, created_at
FROM llm_requests_metadata_keys;
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (31, 'imports', false);
END $version$;


-- ## Version 32: names ------------------------------------------------------------------------------------------------

DO $version$
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN RETURN; END IF;
  IF (SELECT max(version) FROM majordomo_migrations) >= 32 THEN RETURN; END IF;

  EXECUTE $migration$
-- 0032 names
-- breaking: no
--
-- Activating a metadata name no longer changes every earlier request. Requests that are written from then on have the name
-- in indexed_metadata, as before. For the earlier ones, each partition has an index of its own over the values in
-- raw_metadata, which PostgreSQL builds in a fiftieth of the time. Days are counted from the newest one on, and reports use
-- the days that are counted while others still are not. Programs that do not know the migration go on as before.

ALTER TABLE llm_usage_metadata_names
  ADD COLUMN counted_from timestamptz,               -- a midnight (UTC): while `summed` is false, days from it on are counted
  ADD COLUMN indexed_since timestamptz;              -- `indexed` is true of the requests that ended at this moment or later

-- Removes the totals of a name that is no longer active for any key: without further requests they would be incomplete.
CREATE OR REPLACE FUNCTION majordomo_forget_names() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  WITH forgotten AS (
    DELETE FROM llm_usage_metadata_names n
    WHERE NOT every_key AND NOT EXISTS (SELECT FROM llm_requests_metadata_keys k WHERE k.key_name = n.name AND k.is_active)
    RETURNING name
  ), daily AS (
    DELETE FROM llm_usage_metadata m USING forgotten f WHERE m.name = f.name
  ), weekly AS (
    DELETE FROM llm_usage_metadata_weekly w USING forgotten f WHERE w.name = f.name
  )
  DELETE FROM llm_usage_metadata_values v USING forgotten f WHERE v.name = f.name;
  -- The requests of one more key are no longer indexed as they come.
  UPDATE llm_usage_metadata_names SET indexed = false, indexed_since = NULL
  WHERE NOT every_key AND (indexed OR indexed_since IS NOT NULL);
  RETURN NULL;
END $$;

-- The functions below run with the rights of their owner, so they must not find tables of a temporary schema.
SELECT set_config('majordomo.path', current_setting('search_path'), true);
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- The index by which a partition finds the values of a metadata name in its requests from before the name was indexed, and
-- the statistics that tell how frequent each value is, as the text after CREATE INDEX and CREATE STATISTICS. No row: the name
-- is not active for all keys, or all its requests are indexed, or there is no such partition. Values are cut, because an
-- index cannot have long ones. PostgreSQL makes statistics of an index by itself, but uses them only if it has all rows.
CREATE FUNCTION majordomo_name_index(wanted text, partition text)
RETURNS TABLE (index_name text, definition text, statistics text) LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
  SELECT i.index_name, format('%I ON %I (left(raw_metadata ->> %L, 255)) WHERE raw_metadata ->> %L IS NOT NULL AND created_at < %L',
      i.index_name, p.name, n.name, n.name, n.indexed_since),
    format('%I ON (left(raw_metadata ->> %L, 255)) FROM %I', i.index_name, n.name, p.name)
  FROM llm_usage_metadata_names n JOIN majordomo_partitions() p ON p.name = partition
  CROSS JOIN LATERAL (SELECT 'majordomo_name_' || left(md5(n.name), 12) || '_' || p.name AS index_name) AS i
  WHERE n.name = wanted AND n.indexed_since IS NOT NULL AND NOT n.indexed
$$;

-- Builds that index, and returns how many requests have the name; 0 if there is nothing to build. Whoever may change requests
-- may call it. Batches that write into the partition wait meanwhile. One of more than `max_locked` bytes into which requests
-- of today were written is therefore left alone, and the result is NULL.
CREATE FUNCTION majordomo_index_name(wanted text, partition text, max_locked bigint) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  made record;
  newest timestamptz;
  requests bigint;
BEGIN
  IF NOT has_table_privilege(session_user, 'llm_requests', 'UPDATE') THEN
    RAISE insufficient_privilege USING MESSAGE = 'the user may not change requests';
  END IF;
  PERFORM pg_advisory_xact_lock(7680, 11);
  SELECT * INTO made FROM majordomo_name_index(wanted, partition);
  IF made.definition IS NULL THEN RETURN 0; END IF;
  IF EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(made.index_name) AND indisvalid) THEN RETURN 0; END IF;
  IF pg_relation_size(partition::regclass) > max_locked THEN
    EXECUTE format('SELECT max(created_at) FROM %I', partition) INTO newest;
    IF newest > now() - interval '1 day' THEN RETURN NULL; END IF;
  END IF;
  -- CREATE INDEX CONCURRENTLY that was ended has left it.
  EXECUTE format('DROP INDEX IF EXISTS %I', made.index_name);
  EXECUTE 'CREATE INDEX ' || made.definition;
  EXECUTE 'CREATE STATISTICS IF NOT EXISTS ' || made.statistics;
  SELECT reltuples INTO requests FROM pg_class WHERE oid = to_regclass(made.index_name);
  EXECUTE format('ANALYZE %I', partition);
  RETURN requests;
END $$;

-- Drops one index of a metadata name that is no longer active for all keys, and returns whether there was one. Whoever may
-- change requests may call it. It needs an ACCESS EXCLUSIVE lock on a partition, so the caller sets lock_timeout.
CREATE FUNCTION majordomo_drop_name_index() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  idle text;
BEGIN
  IF NOT has_table_privilege(session_user, 'llm_requests', 'UPDATE') THEN
    RAISE insufficient_privilege USING MESSAGE = 'the user may not change requests';
  END IF;
  PERFORM pg_advisory_xact_lock(7680, 11);
  SELECT relname INTO idle FROM pg_class
  WHERE relname ~ '^majordomo_name_[0-9a-f]{12}_llm_requests_' AND relkind = 'i'
    AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'llm_requests'::regclass)
    AND substring(relname FROM 16 FOR 12) NOT IN (
      SELECT left(md5(name), 12) FROM llm_usage_metadata_names WHERE indexed_since IS NOT NULL)
  ORDER BY 1 LIMIT 1;
  IF idle IS NULL THEN RETURN false; END IF;
  EXECUTE format('DROP STATISTICS IF EXISTS %I', idle);
  EXECUTE format('DROP INDEX %I', idle);
  RETURN true;
END $$;

SELECT set_config('search_path', current_setting('majordomo.path'), true);
$migration$;

  INSERT INTO majordomo_migrations (version, name, breaking) VALUES (32, 'names', false);
END $version$;

DO $$
DECLARE
  latest integer;
BEGIN
  IF to_regclass('majordomo_migrations') IS NULL THEN
    RAISE EXCEPTION 'the schema "%" of the database "%" contains tables of another program (%), so nothing was changed: use a database of its own, or set search_path to a schema of its own',
      current_schema(), current_database(), (
  WITH tables AS (
    SELECT relname::text AS name,
      -- Other tables of a gateway, and those in which tools of the Go gateway note their migrations.
      relname !~ '^(api_keys$|llm_|majordomo_|schema_migrations$|goose_db_version$)' AS is_other,
      NOT ARRAY (SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND NOT attisdropped) @> CASE relname
        WHEN 'api_keys' THEN ARRAY['id', 'key_hash', 'is_active']
        WHEN 'llm_requests' THEN ARRAY['id', 'provider', 'requested_at'] ELSE ARRAY[]::text[] END AS is_imitation
    FROM pg_class c
    WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
  ), schema AS (
    SELECT bool_or(name = 'llm_requests') AND NOT bool_or(is_imitation) AS is_ours FROM tables
  ), strange AS (
    SELECT array_agg(name ORDER BY is_imitation DESC, name) AS names FROM tables CROSS JOIN schema
    WHERE is_imitation OR (is_other AND NOT is_ours)
  )
  SELECT array_to_string(names[1:3], ', ')
    || CASE WHEN cardinality(names) > 3 THEN format(' and %s more', cardinality(names) - 3) ELSE '' END
  FROM strange);
  END IF;
  latest := (SELECT max(version) FROM majordomo_migrations);
  IF latest > 32 THEN
    RAISE WARNING 'the schema of this database has the version %, and this file has the older version 32: nothing was changed', latest;
  END IF;
END $$;

COMMIT;
