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
