import type { Database } from "../_database.ts"

/** Large tables take as long as they take. */
export const NO_HURRY_MS = 24 * 3_600_000

/** The columns of a table, quoted, in a list for SQL. */
export async function listColumns(db: Database, table: string, except: readonly string[] = []): Promise<string> {
  const { rows } = await db.query<{ columns: string }>({
    text: `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attname <> ALL($2)`,
    values: [table, except],
  })
  return rows[0]!.columns
}

/** A whole small table, or what a condition leaves of it, as the text of a JSON array. */
export async function readAll(db: Database, from: string, values: readonly unknown[] = []): Promise<string> {
  const text = `SELECT coalesce(json_agg(r), '[]')::text AS all FROM (${from}) AS r`
  const { rows } = await db.query<{ all: string }>({ text, values, timeoutMs: NO_HURRY_MS })
  return rows[0]!.all
}

export async function write(db: Database, text: string, values: readonly unknown[]): Promise<number> {
  return (await db.query({ text, values, timeoutMs: NO_HURRY_MS })).rowCount
}
