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
