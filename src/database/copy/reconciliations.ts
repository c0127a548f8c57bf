import type { Database } from "../_database.ts"
import { listColumns, readAll, write } from "./tables.ts"

/** Copies the comparisons with bills and the imported lines. A day that the target has stays as it is there. */
export async function copyReconciliations(source: Database, target: Database): Promise<void> {
  for (const table of ["llm_reconciliations", "llm_bill_lines"]) {
    const columns = await listColumns(target, table)
    await write(
      target,
      `INSERT INTO ${table} SELECT s.* FROM json_populate_recordset(NULL::${table}, $1::json) AS s
        WHERE NOT EXISTS (SELECT FROM ${table} t WHERE (t.provider, t.account, t.day) = (s.provider, s.account, s.day))`,
      [await readAll(source, `SELECT ${columns} FROM ${table}`)],
    )
  }
}
