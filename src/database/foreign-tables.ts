import { CommandError } from "../core/errors.ts"
import type { RunQuery } from "./_database.ts"

/**
 * A query of one text, `orders, users, visits and 4 more`: the tables of another program in the schema that the first
 * migration is about to use, or NULL if there are none. Tables that somebody added beside the gateway's own are no reason
 * to reject it. The tables of the Go gateway, and those from before versions, are recognized by their columns.
 */
export const NAME_FOREIGN_TABLES = `
  WITH tables AS (
    SELECT relname::text AS name,
      -- Other tables of a gateway, and those in which tools of the Go gateway note their migrations.
      relname !~ '^(api_keys$|llm_|majordomo_|schema_migrations$|goose_db_version$)' AS is_other,
      NOT ARRAY (SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND NOT attisdropped) @> CASE relname
        WHEN 'api_keys' THEN ARRAY['id', 'key_hash', 'is_active']
        WHEN 'llm_requests' THEN ARRAY['id', 'provider', 'requested_at'] ELSE ARRAY[]::text[] END AS is_imitation
    FROM pg_class c
    WHERE relnamespace = quote_ident(current_schema())::regnamespace AND relkind IN ('r', 'p', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
  ), schema AS (
    SELECT bool_or(name = 'llm_requests') AND NOT bool_or(is_imitation) AS is_ours FROM tables
  ), strange AS (
    SELECT array_agg(name ORDER BY is_imitation DESC, name) AS names FROM tables CROSS JOIN schema
    WHERE is_imitation OR (is_other AND NOT is_ours)
  )
  SELECT array_to_string(names[1:3], ', ')
    || CASE WHEN cardinality(names) > 3 THEN format(' and %s more', cardinality(names) - 3) ELSE '' END
  FROM strange`

/** Throws a CommandError if the schema that the first migration is about to use belongs to another program. */
export async function rejectForeignTables(query: RunQuery): Promise<void> {
  const { rows } = await query<{ names: string | null; schema: string; database: string }>(
    `SELECT (${NAME_FOREIGN_TABLES}) AS names, current_schema()::text AS schema, current_database()::text AS database`,
  )
  const { names, schema, database } = rows[0]!
  if (names === null) return
  throw new CommandError(
    `the schema "${schema}" of the database "${database}" contains tables of another program (${names}): use a database of its own, or set storage.postgres.schema to a schema of its own`,
  )
}
