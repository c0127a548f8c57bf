import type { Database } from "./_database.ts"
import { readSchemaState, type SchemaState } from "./schema-state.ts"

/** What is to be known of a database before it is trusted. */
export interface Diagnosis {
  /** The major version. */
  readonly version: number
  readonly state: SchemaState
  readonly isReadOnly: boolean
  /** May write the rows of requests; undefined: there is no table yet. */
  readonly mayWrite: boolean | undefined
  readonly user: string
  readonly schema: string
  /** Its clock less this machine's, in ms, give or take half of the way there and back. */
  readonly skewMs: number
}

/** Looks only. */
export async function diagnose(db: Database): Promise<Diagnosis> {
  const state = await readSchemaState(db.query)
  const askedAt = Date.now()
  const { rows } = await db.query<{
    version: number
    read_only: boolean
    may_write: boolean | null
    user: string
    schema: string
    now_ms: number
  }>(`SELECT current_setting('server_version_num')::int / 10000 AS version,
      pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS read_only,
      has_table_privilege(to_regclass('llm_requests'), 'INSERT') AND has_table_privilege(to_regclass('api_keys'), 'SELECT') AS may_write,
      quote_ident(current_user) AS user, quote_ident(current_schema()) AS schema,
      (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms`)
  const here = (askedAt + Date.now()) / 2
  const seen = rows[0]!
  return {
    version: seen.version,
    state,
    isReadOnly: seen.read_only,
    mayWrite: seen.may_write ?? undefined,
    user: seen.user,
    schema: seen.schema,
    skewMs: Math.round(seen.now_ms - here),
  }
}
