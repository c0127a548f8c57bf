import type { LogRecord } from "../core/log-record.ts"
import type { Database, RunQuery } from "./_database.ts"
import { INSERT_ROWS } from "./ledger/insert.ts"
import { toLine } from "./ledger/serialize.ts"
import { retryDeadlocks } from "./locks.ts"

/** A row of llm_imports. */
export interface ImportRow {
  readonly id: string
  readonly source: string
  readonly actor: string
  readonly started_at: Date
  readonly finished_at: Date | null
  readonly requests: string
  readonly unpriced: string
  /** USD as a plain decimal. */
  readonly total_cost: string
  readonly first_at: Date | null
  readonly last_at: Date | null
  readonly undone_at: Date | null
}

const BATCH_TIMEOUT_MS = 120_000
/** Requests that are removed in one transaction. */
const ROWS_PER_CHUNK = 2000

const INSERT_IMPORT = "INSERT INTO llm_imports (id, source, actor) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING"

/** Adds the rows that a statement has inserted, by their ids. */
const ADD_TO_IMPORT = `UPDATE llm_imports i SET requests = i.requests + n.requests, unpriced = i.unpriced + n.unpriced,
  total_cost = i.total_cost + n.total_cost, first_at = least(i.first_at, n.first_at), last_at = greatest(i.last_at, n.last_at)
FROM (SELECT count(*) AS requests, count(*) FILTER (WHERE total_cost IS NULL) AS unpriced, coalesce(sum(total_cost), 0) AS total_cost,
    min(created_at) AS first_at, max(created_at) AS last_at
  FROM llm_requests WHERE id = ANY ($2::uuid[])) n
WHERE i.id = $1`

interface ImportBatch {
  readonly import: { readonly id: string; readonly source: string; readonly actor: string }
  readonly rows: readonly LogRecord[]
}

/**
 * Stores a batch of imported rows and adds it to its import, in one transaction. A row that is there already stays as it is, so an import
 * can be repeated after it was interrupted. Returns the ids of the rows that are new.
 * @param also what belongs to the same transaction, if a row is new
 */
export async function storeImportBatch(
  db: Database,
  { import: into, rows }: ImportBatch,
  also: (query: RunQuery) => Promise<void> = async () => {},
): Promise<ReadonlySet<string>> {
  const insert = {
    text: `${INSERT_ROWS} RETURNING id`,
    values: [`[${rows.map((row) => toLine(row)).join(",")}]`],
    timeoutMs: BATCH_TIMEOUT_MS,
  }
  return retryDeadlocks(() =>
    db.transaction(async (query) => {
      const added = (await query<{ id: string }>(insert)).rows.map(({ id }) => id)
      if (added.length > 0) {
        await query({ text: INSERT_IMPORT, values: [into.id, into.source, into.actor] })
        await query({ text: ADD_TO_IMPORT, values: [into.id, added] })
        await also(query)
      }
      return new Set(added)
    }),
  )
}

/** Returns which of these ids have a row. */
export async function findStored(db: Pick<Database, "query">, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ id: string }>({
    text: "SELECT id FROM llm_requests WHERE id = ANY ($1::uuid[])",
    values: [ids],
  })
  return new Set(rows.map(({ id }) => id))
}

/** Returns the midnight before which requests are pruned, in ms since the epoch; undefined if none are. */
export async function readPrunedBefore(db: Pick<Database, "query">): Promise<number | undefined> {
  const { rows } = await db.query<{ before: Date | null }>("SELECT pruned_before AS before FROM majordomo_schema")
  return rows[0]?.before?.getTime()
}

/** Adds up the imported requests of a provider that ended from one UTC day to before another. USD as a plain decimal. */
export async function sumImported(
  db: Pick<Database, "query">,
  { provider, since, until }: { readonly provider: string; readonly since: string; readonly until: string },
): Promise<{ readonly requests: number; readonly cost: string }> {
  const { rows } = await db.query<{ requests: number; cost: string }>({
    text: `SELECT count(*)::int AS requests, coalesce(trim_scale(sum(total_cost)), 0)::text AS cost FROM llm_requests
      WHERE provider = $1 AND source = 'import' AND created_at >= $2::date::timestamp AT TIME ZONE 'UTC'
        AND created_at < $3::date::timestamp AT TIME ZONE 'UTC'`,
    values: [provider, since, until],
    timeoutMs: BATCH_TIMEOUT_MS,
  })
  return rows[0]!
}

export async function finishImport(db: Pick<Database, "query">, id: string): Promise<void> {
  await db.query({ text: "UPDATE llm_imports SET finished_at = now() WHERE id = $1", values: [id] })
}

const COLUMNS =
  "id, source, actor, started_at, finished_at, requests, unpriced, trim_scale(total_cost)::text AS total_cost, first_at, last_at, undone_at"

/** Returns all imports, the newest first. */
export async function listImportRows(db: Pick<Database, "query">): Promise<readonly ImportRow[]> {
  return (await db.query<ImportRow>(`SELECT ${COLUMNS} FROM llm_imports ORDER BY started_at DESC, id`)).rows
}

/**
 * Removes the requests of an import from all totals and from the table, in chunks that are committed one by one, so that an
 * interrupted run can be repeated. Returns how many there were.
 * @param onStart runs in the transaction of the first chunk
 */
export async function removeImportedRows(
  db: Database,
  { id, first_at: first, last_at: last }: ImportRow,
  { onStart, onProgress }: { onStart(query: RunQuery): Promise<void>; onProgress(done: number): void },
): Promise<number> {
  let done = 0
  for (let count = ROWS_PER_CHUNK; count > 0; ) {
    count = await retryDeadlocks(() =>
      db.transaction(async (query) => {
        if (done === 0) await onStart(query)
        const chunk = { text: FIND_CHUNK, values: [id, first, last], timeoutMs: BATCH_TIMEOUT_MS }
        const ids = (await query<{ id: string }>(chunk)).rows.map((row) => row.id)
        if (ids.length === 0) return 0
        // The triggers take a gap out of all totals. Deleting it changes none, as when requests are pruned.
        const values = [ids]
        await query({ text: "UPDATE llm_requests SET outcome = 'gap' WHERE id = ANY ($1::uuid[])", values })
        await query({ text: "DELETE FROM llm_requests WHERE id = ANY ($1::uuid[])", values })
        return ids.length
      }),
    )
    done += count
    onProgress(done)
  }
  await db.query({ text: "UPDATE llm_imports SET undone_at = now() WHERE id = $1", values: [id] })
  return done
}

/** Rows of an import say so themselves (migration 0031). FOR UPDATE in the order of their ids, as `locks.ts` asks for. */
const FIND_CHUNK = `SELECT id FROM llm_requests WHERE id = ANY (ARRAY (
    SELECT id FROM llm_requests WHERE created_at >= $2 AND created_at <= $3 AND source = 'import' AND usage ->> 'import' = $1::text
    LIMIT ${ROWS_PER_CHUNK}))
  ORDER BY id FOR UPDATE`
