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
