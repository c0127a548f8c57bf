import { WRITTEN_COLUMNS } from "../../core/row-columns.ts"
import type { RunQuery } from "../_database.ts"

const names = WRITTEN_COLUMNS.map(([name]) => name).join(", ")
const definitions = WRITTEN_COLUMNS.map(([name, { sql }]) => `${name} ${sql}`).join(", ")

/**
 * Inserts a JSON array of rows, `$1`, each exactly once however often it is sent. The triggers of the schema keep the
 * rollups and counters for the rows that are new.
 */
export const INSERT_ROWS = `INSERT INTO llm_requests (${names}) SELECT ${names} FROM json_to_recordset($1::json) AS row(${definitions}) ON CONFLICT (id) DO NOTHING`

const assignments = WRITTEN_COLUMNS.filter(([name]) => name !== "id").map(([name]) => `${name} = row.${name}`)

/**
 * Replaces rows that say `gateway_died` by those of the JSON array, `$1`. A copy of a data directory that is opened while
 * its gateway still runs writes such a row for each request in progress, before the row of the request itself arrives.
 */
const REPLACE_DIED = `UPDATE llm_requests r SET ${assignments.join(", ")} FROM json_to_recordset($1::json) AS row(${definitions})
  WHERE r.id = row.id AND r.outcome = 'gateway_died' AND row.outcome <> 'gateway_died'`

/** Records that the row `$2` is the last one of the journal `$1` that is in the database (`replay.ts`). */
export const MARK_JOURNAL = `INSERT INTO majordomo_journals (journal, last_row) VALUES ($1, $2)
  ON CONFLICT (journal) DO UPDATE SET last_row = excluded.last_row, written_at = now()`

/** Inserts rows, `$1`, and marks the row `$3` as the last one of the journal `$2`. */
const INSERT_ROWS_OF_JOURNAL = `WITH mark AS (${MARK_JOURNAL.replace("$1, $2", "$2, $3")}) ${INSERT_ROWS}`

/** The id of a journal and of the row that becomes its last one in the database. */
export type Mark = readonly [journal: string, lastRow: string]

interface InsertOptions {
  /** The number of rows in the array. */
  readonly count: number
  readonly mark?: Mark | undefined
  readonly timeoutMs?: number
}

/** Inserts the rows of a JSON array. With a mark, it records in the same statement how far their journal is written. */
export async function insertRows(
  query: RunQuery,
  array: Buffer | string,
  { count, mark, ...limit }: InsertOptions,
): Promise<void> {
  const insert = mark
    ? { text: INSERT_ROWS_OF_JOURNAL, values: [array, ...mark] }
    : { text: INSERT_ROWS, values: [array] }
  const { rowCount } = await query({ ...insert, ...limit })
  if (rowCount < count) await query({ text: REPLACE_DIED, values: [array], ...limit })
}
