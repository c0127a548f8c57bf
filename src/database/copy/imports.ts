import type { Database } from "../_database.ts"
import { listColumns, readAll, write } from "./tables.ts"

/** Copies the list of imports, without which they could not be undone. The rows themselves are requests. */
export async function copyImports(source: Database, target: Database): Promise<void> {
  const columns = await listColumns(target, "llm_imports")
  await write(
    target,
    `INSERT INTO llm_imports (${columns}) SELECT ${columns} FROM json_populate_recordset(NULL::llm_imports, $1::json)
      ON CONFLICT (id) DO UPDATE SET undone_at = coalesce(llm_imports.undone_at, excluded.undone_at)`,
    [await readAll(source, `SELECT ${columns} FROM llm_imports`)],
  )
}
