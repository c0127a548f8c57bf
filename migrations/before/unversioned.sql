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
