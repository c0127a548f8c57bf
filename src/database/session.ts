import type { ClientBase } from "pg"

/**
 * The settings of every session, whatever the server, the database or the role have as defaults. Dates, times and
 * numbers then have the form that this program reads, and no statement waits for a lock without an end.
 */
const SETTINGS = {
  client_encoding: "UTF8",
  datestyle: "ISO, YMD",
  timezone: "UTC",
  intervalstyle: "postgres",
  standard_conforming_strings: "on",
  extra_float_digits: "1",
  default_transaction_isolation: "read committed",
  // Shorter than the writer's timeout of 15 s, so that the server ends the wait and the connection stays usable.
  lock_timeout: "10s",
} as const

/**
 * A row leaves the journal when its COMMIT is confirmed, so a crash of the server must not lose it afterwards. With `off`,
 * it loses the commits of up to 0.6 s. Any other value stays, because it says which standby servers have to confirm too.
 */
const DURABLE_COMMITS = `set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), false)`

/**
 * Prepares a new connection: its settings, and the schema in which the gateway's tables are. Without `schema`, that is
 * the schema in which the search path finds them, or `public` if they are there, or else the first one of the path. A
 * search path that names no schema leads to `public`.
 *
 * These are statements and not startup options, because poolers reject those.
 */
export async function prepareSession(client: ClientBase, schema: string | undefined): Promise<void> {
  const settings = Object.entries(SETTINGS).map(([name, value]) => `set_config('${name}', '${value}', false)`)
  const statement = `SELECT ${[...settings, DURABLE_COMMITS].join(", ")}, set_config('search_path', ${toSearchPath(schema)}, false)`
  // Ends statements in the server whose client is gone (after a timeout, or a killed gateway); else they would go on
  // waiting for a lock. The embedded engine and some platforms do not support it.
  const checkClient = "SET client_connection_check_interval = '5s'"
  await client.query(`${statement}; ${checkClient}`).catch(() => client.query(statement))
}

/** Returns an SQL expression. A path that begins with the right schema stays as it is. */
function toSearchPath(schema: string | undefined): string {
  if (schema !== undefined) return toLiteral(toIdentifier(schema))
  return `(SELECT CASE WHEN ours = current_schema() THEN path ELSE concat_ws(', ', quote_ident(ours), nullif(path, '')) END
    FROM (SELECT current_setting('search_path') AS path, coalesce(
      (SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE c.oid = coalesce(to_regclass('llm_requests'), to_regclass('public.llm_requests'))),
      current_schema(), 'public') AS ours) AS found)`
}

const toIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A backslash needs the form E'…', whatever `standard_conforming_strings` is. */
const toLiteral = (text: string): string => ` E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`
