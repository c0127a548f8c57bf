import type { Database } from "./_database.ts"
import { type Ability, readAbility } from "./ability.ts"
import { readSchemaState, type SchemaState } from "./schema-state.ts"

/** The facts about a database that `doctor` checks. */
export interface Diagnosis {
  /** The major version of PostgreSQL. */
  readonly version: number
  readonly state: SchemaState
  readonly ability: Ability
  /** Whether the user may write the rows of requests; undefined if the table does not exist yet. */
  readonly mayWrite: boolean | undefined
  readonly user: string
  readonly schema: string
  /** The database's clock minus this machine's, in ms, exact to half of the round trip. */
  readonly skewMs: number
}

/** Reads the facts about a database and changes nothing. */
export async function diagnose(db: Database): Promise<Diagnosis> {
  const state = await readSchemaState(db.query)
  const ability = await readAbility(db.query)
  const askedAt = Date.now()
  const { rows } = await db.query<{
    version: number
    may_write: boolean | null
    user: string
    schema: string
    now_ms: number
  }>(`SELECT current_setting('server_version_num')::int / 10000 AS version,
      has_table_privilege(to_regclass('llm_requests'), 'INSERT') AND has_table_privilege(to_regclass('api_keys'), 'SELECT') AS may_write,
      quote_ident(current_user) AS user, quote_ident(current_schema()) AS schema,
      (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms`)
  const middle = (askedAt + Date.now()) / 2
  const row = rows[0]!
  return {
    version: row.version,
    state,
    ability,
    mayWrite: row.may_write ?? undefined,
    user: row.user,
    schema: row.schema,
    skewMs: Math.round(row.now_ms - middle),
  }
}
