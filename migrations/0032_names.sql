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
