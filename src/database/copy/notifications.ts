import type { Database } from "../_database.ts"
import { listColumns, readAll, write } from "./tables.ts"

/** Copies the notifications, so that nothing is sent twice. What the target has stays as it is there. */
export async function copyNotifications(source: Database, target: Database): Promise<void> {
  for (const table of ["majordomo_notifications", "majordomo_deliveries", "majordomo_notification_runs"]) {
    const columns = await listColumns(target, table)
    // A delivery of a notification that the target has already has nothing to refer to.
    const where =
      table === "majordomo_deliveries" ? "WHERE notification_id IN (SELECT id FROM majordomo_notifications)" : ""
    await write(
      target,
      `INSERT INTO ${table} SELECT s.* FROM json_populate_recordset(NULL::${table}, $1::json) AS s ${where}
        ON CONFLICT DO NOTHING`,
      [await readAll(source, `SELECT ${columns} FROM ${table}`)],
    )
  }
}
