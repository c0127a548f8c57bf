import { CommandError } from "../core/errors.ts"
import type { RunQuery } from "./_database.ts"

/** Columns by which the tables of the Go gateway, and those from before versions, are recognized. */
const OURS: ReadonlyMap<string, readonly string[]> = new Map([
  ["api_keys", ["id", "key_hash", "is_active"]],
  ["llm_requests", ["id", "provider", "requested_at"]],
])
/** Other tables of a gateway, and those in which tools of the Go gateway note their migrations. */
const HARMLESS = /^(llm_|majordomo_|schema_migrations$|goose_db_version$)/
const MAX_SHOWN = 3

interface Table {
  readonly name: string
  readonly columns: readonly string[]
}

/**
 * Throws a CommandError if the schema that the first migration is about to use belongs to another program. Tables that
 * somebody added beside the gateway's own are no reason to refuse it.
 */
export async function rejectForeignTables(query: RunQuery): Promise<void> {
  const { rows } = await query<Table & { schema: string; database: string }>(
    `SELECT current_schema()::text AS schema, current_database()::text AS database, relname::text AS name,
        ARRAY (SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND NOT attisdropped) AS columns
      FROM pg_class c
      WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p', 'f')
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
      ORDER BY relname`,
  )
  const imitations = rows.filter(({ name, columns }) => OURS.get(name)?.some((column) => !columns.includes(column)))
  const isOurs = imitations.length === 0 && rows.some(({ name }) => name === "llm_requests")
  const others = rows.filter(({ name }) => !isOurs && !OURS.has(name) && !HARMLESS.test(name))
  const foreign = [...imitations, ...others]
  if (foreign.length === 0) return
  const { schema, database } = foreign[0]!
  const names = foreign.slice(0, MAX_SHOWN).map(({ name }) => name)
  const more = foreign.length > MAX_SHOWN ? ` and ${foreign.length - MAX_SHOWN} more` : ""
  throw new CommandError(
    `the schema "${schema}" of the database "${database}" contains tables of another program (${names.join(", ")}${more}): use a database of its own, or set storage.postgres.schema to a schema of its own`,
  )
}
