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
