import { WRITTEN_COLUMNS } from "../../core/row-columns.ts"

/** Each statement takes a JSON array of rows as `$1`. */

/** Stores what is known of jobs. The first creation and the first final state of a job stay. */
export const UPSERT_JOBS = `INSERT INTO llm_jobs AS j (provider, id, kind, created_by, majordomo_api_key_id, provider_api_key_alias,
    raw_metadata, requested_model, created_at, state, expected_items, fetch_path)
  SELECT provider, id, kind, created_by, majordomo_api_key_id, provider_api_key_alias, raw_metadata, requested_model,
    created_at, state, expected_items, fetch_path
  FROM json_to_recordset($1::json) AS g(provider text, id text, kind text, created_by uuid, majordomo_api_key_id uuid,
    provider_api_key_alias text, raw_metadata jsonb, requested_model text, created_at timestamptz, state text, expected_items bigint, fetch_path text)
  ON CONFLICT (provider, id) DO UPDATE SET
    (created_by, majordomo_api_key_id, provider_api_key_alias, raw_metadata, requested_model, created_at) = (SELECT
      first.created_by, first.majordomo_api_key_id, first.provider_api_key_alias, first.raw_metadata, first.requested_model,
      first.created_at
      FROM (SELECT j.* UNION ALL SELECT excluded.*) AS first ORDER BY first.created_by IS NULL, first.created_at LIMIT 1),
    state = CASE j.state WHEN 'running' THEN excluded.state ELSE j.state END,
    expected_items = greatest(j.expected_items, excluded.expected_items),
    fetch_path = coalesce(excluded.fetch_path, j.fetch_path)`

export const UPSERT_FILES = `INSERT INTO llm_job_files (provider, file, job_id)
  SELECT provider, file, job_id FROM json_to_recordset($1::json) AS g(provider text, file text, job_id text)
  ON CONFLICT (provider, file) DO NOTHING`

/**
 * Stores items that are not known yet. An item without a record is one that the row of its job's creation bills. An item
 * that was kept without being billed is replaced if it is to be billed now, because the setting has changed.
 */
export const ADD_ITEMS = `WITH added AS (
    INSERT INTO llm_job_items AS i (provider, source, item, record)
    SELECT provider, source, item, record
    FROM json_to_recordset($1::json) AS g(provider text, source text, item text, record jsonb)
    ON CONFLICT (provider, source, item) DO UPDATE SET record = excluded.record
      WHERE i.record IS NOT NULL AND (excluded.record -> 'job' ->> 'foreign')::boolean
    RETURNING provider, source, record
  )
  UPDATE llm_jobs j SET billed_items = billed_items + 1
  FROM added a WHERE a.record IS NULL AND (j.provider, j.id) = (a.provider, a.source)`

/** The jobs that a list of names means: jobs themselves, and files with results of jobs. */
const NAMED = `named AS (
    SELECT g.provider, coalesce(f.job_id, g.name) AS job_id, g.name, g.fetched
    FROM json_to_recordset($1::json) AS g(provider text, name text, fetched boolean)
    LEFT JOIN llm_job_files f ON (f.provider, f.file) = (g.provider, g.name)
  )`

/** Locks the rows that the items of a batch may complete. */
export const LOCK_CREATIONS = `WITH ${NAMED}
  SELECT FROM llm_requests r WHERE r.id IN (SELECT j.created_by FROM named n
    JOIN llm_jobs j ON (j.provider, j.id) = (n.provider, n.job_id) WHERE j.settled_at IS NULL)
  ORDER BY r.id FOR UPDATE`

/** Finds items to bill, at most \`$2\`, with the creation of their job. */
export const FIND_BILLABLE = `WITH ${NAMED}, sources AS (
    SELECT provider, job_id, name AS source FROM named
    UNION SELECT n.provider, n.job_id, f.file FROM named n JOIN llm_job_files f ON (f.provider, f.job_id) = (n.provider, n.job_id)
  )
  SELECT i.provider, i.source, i.item, i.record, j.created_by, j.majordomo_api_key_id, j.provider_api_key_alias,
    j.raw_metadata, j.requested_model
  FROM sources s JOIN llm_job_items i ON (i.provider, i.source) = (s.provider, s.source) AND i.record IS NOT NULL
  LEFT JOIN llm_jobs j ON (j.provider, j.id) = (s.provider, s.job_id)
  WHERE j.created_by IS NOT NULL OR (i.record -> 'job' ->> 'foreign')::boolean
  LIMIT $2`

/** Marks items as billed, and counts them for their jobs. */
export const BILL_ITEMS = `WITH given AS (
    SELECT * FROM json_to_recordset($1::json) AS g(provider text, source text, item text)
  ), billed AS (
    UPDATE llm_job_items i SET record = NULL FROM given g
    WHERE (i.provider, i.source, i.item) = (g.provider, g.source, g.item) RETURNING i.provider, i.source
  ), counted AS (
    SELECT b.provider, coalesce(f.job_id, b.source) AS job_id, count(*) AS items
    FROM billed b LEFT JOIN llm_job_files f ON (f.provider, f.file) = (b.provider, b.source) GROUP BY 1, 2
  )
  UPDATE llm_jobs j SET billed_items = billed_items + c.items FROM counted c WHERE (j.provider, j.id) = (c.provider, c.job_id)`

/** Settles jobs of which nothing more can be billed. The number of items of a failed job may never become known. */
export const SETTLE_JOBS = `WITH ${NAMED}
  UPDATE llm_jobs j SET settled_at = now() FROM named n
  WHERE (j.provider, j.id) = (n.provider, n.job_id) AND j.settled_at IS NULL AND (n.fetched OR (j.state <> 'running'
    AND j.billed_items >= coalesce(j.expected_items, CASE j.state WHEN 'failed' THEN 0 END)))`

/** The columns that a completed row takes from the answer with the usage. `model` stays if that answer names none. */
const COMPLETED = WRITTEN_COLUMNS.filter(([, { from }]) => from === "usage" || from === "cost")
const definitions = COMPLETED.map(([name, { sql }]) => `${name} ${sql}`).join(", ")
const assignments = COMPLETED.map(([name]) => `${name} = g.${name}`).join(", ")

/**
 * Writes usage and cost into the rows of the requests that created jobs, and returns the ids of those that exist. The
 * rollups follow by a trigger.
 */
export const COMPLETE_ROWS = `UPDATE llm_requests r SET model = coalesce(nullif(g.model, ''), r.model), ${assignments},
    card = NULL, card_values = NULL
  FROM json_to_recordset($1::json) AS g(id uuid, model text, ${definitions}) WHERE r.id = g.id RETURNING r.id::text`
