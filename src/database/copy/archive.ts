import type { Database } from "../_database.ts"
import { listColumns, readAll } from "./tables.ts"

const DAYS = "json_populate_recordset(NULL::llm_archive_days, $1::json) AS s"

/**
 * Copies which days are in the archive, after the requests, so that the target goes on with the same files. A day of which
 * the target has other requests is left out, and so are all days if the target has an archive of its own.
 */
export async function copyArchive(source: Database, target: Database): Promise<void> {
  const days = await readAll(source, `SELECT d.*, (${countOf("d.day")}) AS stored FROM llm_archive_days d`)
  const [columns, late] = [await listColumns(target, "llm_archive_days"), await listColumns(target, "llm_archive_late")]
  const { rows } = await source.query<{ id: string }>("SELECT archive_id::text AS id FROM majordomo_schema")
  const lateRows = await readAll(source, "SELECT * FROM llm_archive_late")
  await target.transaction(async (query) => {
    const named = await query({
      text: `UPDATE majordomo_schema SET archive_id = $1
        WHERE archive_id = $1 OR NOT EXISTS (SELECT FROM llm_archive_days)`,
      values: [rows[0]!.id],
    })
    if (named.rowCount === 0) return
    const copied = await query<{ day: string }>({
      text: `INSERT INTO llm_archive_days (${columns}) SELECT ${prefixed(columns)} FROM ${DAYS}
        JOIN json_to_recordset($1::json) AS c (day date, stored bigint) ON c.day = s.day AND c.stored = (${countOf("s.day")})
        ON CONFLICT (day) DO UPDATE SET (${columns}) = ROW(${columns.split(", ").map((name) => `excluded.${name}`)})
        RETURNING day::text`,
      values: [days],
    })
    const values = [copied.rows.map(({ day }) => day)]
    await query({ text: "DELETE FROM llm_archive_late WHERE day = ANY($1::date[])", values })
    await query({
      text: `INSERT INTO llm_archive_late (${late}) SELECT ${late} FROM json_populate_recordset(NULL::llm_archive_late, $2::json)
        WHERE day = ANY($1::date[]) ON CONFLICT (id) DO NOTHING`,
      values: [...values, lateRows],
    })
  })
}

const prefixed = (columns: string) => columns.split(", ").map((name) => `s.${name}`)

/** The number of requests of a day in UTC. */
const countOf = (day: string) => `SELECT count(*) FROM llm_requests r
  WHERE r.created_at >= ${day}::timestamp AT TIME ZONE 'UTC' AND r.created_at < (${day} + 1)::timestamp AT TIME ZONE 'UTC'`
