import { WRITTEN_COLUMNS } from "../../core/row-columns.ts"

const names = WRITTEN_COLUMNS.map(([name]) => name).join(", ")
const definitions = WRITTEN_COLUMNS.map(([name, { sql }]) => `${name} ${sql}`).join(", ")

/**
 * Inserts a JSON array of rows, `$1`, each exactly once however often it is sent. The triggers of the schema keep the
 * rollups and counters for the rows that are new.
 */
export const INSERT_ROWS = `INSERT INTO llm_requests (${names}) SELECT ${names} FROM json_to_recordset($1::json) AS row(${definitions}) ON CONFLICT (id) DO NOTHING`
