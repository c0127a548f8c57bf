import type { Database } from "../_database.ts"

/** Copying a large table may take hours. */
export const COPY_TIMEOUT_MS = 24 * 3_600_000

/** Returns the quoted columns of a table as a list for SQL. */
export async function listColumns(db: Database, table: string, except: readonly string[] = []): Promise<string> {
  const { rows } = await db.query<{ columns: string }>({
    text: `SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attname <> ALL($2)`,
    values: [table, except],
  })
  return rows[0]!.columns
}

/** Returns the rows of a small query as the text of a JSON array. */
export async function readAll(db: Database, from: string, values: readonly unknown[] = []): Promise<string> {
  const text = `SELECT coalesce(json_agg(r), '[]')::text AS all FROM (${from}) AS r`
  const { rows } = await db.query<{ all: string }>({ text, values, timeoutMs: COPY_TIMEOUT_MS })
  return rows[0]!.all
}

/** Runs a statement that writes, and returns the number of rows. */
export async function write(db: Database, text: string, values: readonly unknown[]): Promise<number> {
  return (await db.query({ text, values, timeoutMs: COPY_TIMEOUT_MS })).rowCount
}
