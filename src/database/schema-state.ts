import { CommandError } from "../core/errors.ts"
import type { Database, RunQuery } from "./_database.ts"
import { readSchemaScript } from "./schema-script.ts"

/**
 * How the schema of a database compares with that of this program.
 *
 * - `none`: the database has none of our tables.
 * - `go`: the tables are those of the Go gateway.
 * - `older`: migrations are missing. Version 0 is a schema from before versions existed.
 * - `current`: exactly the migrations of this program were applied.
 * - `newer`: migrations were applied that this program does not have.
 */
export type SchemaState =
  | { readonly kind: "none" | "go" }
  | { readonly kind: "older" | "current"; readonly version: number }
  | { readonly kind: "newer"; readonly version: number; readonly isBreaking: boolean }

/** Reads the state of the schema without taking a lock. `version` is the program's own. */
export async function readSchemaState(query: RunQuery, version = readSchemaScript().version): Promise<SchemaState> {
  const { rows } = await query<{ has_versions: boolean; has_requests: boolean; is_go: boolean }>(`
    SELECT to_regclass('majordomo_migrations') IS NOT NULL AS has_versions, to_regclass('llm_requests') IS NOT NULL AS has_requests,
      NOT EXISTS (SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('llm_requests') AND attname = 'cost_status' AND NOT attisdropped) AS is_go`)
  const found = rows[0]!
  if (!found.has_versions) {
    if (!found.has_requests) return { kind: "none" }
    return found.is_go ? { kind: "go" } : { kind: "older", version: 0 }
  }
  const applied = await query<{ version: number; is_breaking: boolean }>({
    text: `SELECT coalesce(max(version), 0) AS version, coalesce(bool_or(breaking) FILTER (WHERE version > $1), false) AS is_breaking
      FROM majordomo_migrations`,
    values: [version],
  })
  const { version: latest, is_breaking: isBreaking } = applied.rows[0]!
  if (latest > version) return { kind: "newer", version: latest, isBreaking }
  return { kind: latest === version ? "current" : "older", version: latest }
}

/** The schema of a database is newer than this program and not compatible with it. */
export class NewerSchemaError extends CommandError {}

/**
 * Throws a NewerSchemaError if the schema of a database is newer than this program and not compatible with it. Every way to
 * open a database calls it before anything is written.
 */
export async function rejectNewerSchema(db: Database): Promise<void> {
  const { version } = readSchemaScript()
  rejectBreakingState(await readSchemaState(db.query, version), version)
}

/** The same for a state that has been read. `version` is the program's own. */
export function rejectBreakingState(state: SchemaState, version: number): void {
  if (state.kind !== "newer" || !state.isBreaking) return
  throw new NewerSchemaError(
    `the schema of the database is newer than this program: it has version ${state.version}, and this program can use it up to version ${version}; upgrade majordomo-gateway`,
  )
}
