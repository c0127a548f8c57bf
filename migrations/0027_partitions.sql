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
