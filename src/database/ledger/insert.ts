import { WRITTEN_COLUMNS } from "../../core/row-columns.ts"

const names = WRITTEN_COLUMNS.map(([name]) => name).join(", ")
const definitions = WRITTEN_COLUMNS.map(([name, { sql }]) => `${name} ${sql}`).join(", ")

/**
 * Inserts a JSON array of rows, `$1`, each exactly once however often it is sent. The triggers of the schema keep the
 * rollups and counters for the rows that are new.
 */
export const INSERT_ROWS = `INSERT INTO llm_requests (${names}) SELECT ${names} FROM json_to_recordset($1::json) AS row(${definitions}) ON CONFLICT (id) DO NOTHING`

/** Records that the row `$2` is the last one of the journal `$1` that is in the database (`replay.ts`). */
export const MARK_JOURNAL = `INSERT INTO majordomo_journals (journal, last_row) VALUES ($1, $2)
  ON CONFLICT (journal) DO UPDATE SET last_row = excluded.last_row, written_at = now()`

/** Inserts rows, `$1`, and marks the row `$3` as the last one of the journal `$2`. */
export const INSERT_ROWS_OF_JOURNAL = `WITH mark AS (${MARK_JOURNAL.replace("$1, $2", "$2, $3")}) ${INSERT_ROWS}`
