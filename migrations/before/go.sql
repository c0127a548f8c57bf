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
