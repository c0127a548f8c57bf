import { CommandError } from "../core/errors.ts"
import type { Database, RunQuery } from "./_database.ts"
import { explainServerError, toErrorCode } from "./failures.ts"
import { rejectForeignTables } from "./foreign-tables.ts"
import { readSchemaScript } from "./schema-script.ts"
import { readSchemaState, rejectBreakingState, type SchemaState } from "./schema-state.ts"

export interface Migration {
  readonly did: "created" | "upgraded from the Go gateway" | "updated" | "nothing"
  /** The number of requests that the Go gateway had stored. */
  readonly rowsKept: number
  /** The database's version if it is newer than this program's, and compatible: it stays as it is. */
  readonly newerVersion?: number
}

/** Rewriting a large table of the Go gateway may take hours. */
const TIMEOUT_MS = 24 * 3_600_000

/**
 * Applies the missing migrations, all or none. Several callers at once wait for each other by the advisory lock that
 * schema.sql takes too, and the later ones find nothing to do. `onStep` receives a line for people before a slow step.
 */
export async function migrate(
  db: Database,
  onStep: (line: string) => void = () => {},
  script = readSchemaScript(),
): Promise<Migration> {
  const unchanged = toUnchanged(await readSchemaState(db.query, script.version), script.version)
  if (unchanged) return unchanged
  return db.transaction((run) => applyMissing(run, onStep, script)).catch(explainFailure)
}

async function applyMissing(
  run: RunQuery,
  onStep: (line: string) => void,
  script: ReturnType<typeof readSchemaScript>,
): Promise<Migration> {
  const query: RunQuery = (statement) =>
    run({ ...(typeof statement === "string" ? { text: statement } : statement), timeoutMs: TIMEOUT_MS })
  // Another migration, or a batch of rows, may legitimately hold a lock for long.
  await query("SELECT set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true)")
  await query("SELECT pg_advisory_xact_lock(7680, 1)")
  const state = await readSchemaState(query, script.version)
  const doneByOthers = toUnchanged(state, script.version)
  if (doneByOthers) return doneByOthers
  await createSchema(query)
  if (!("version" in state) || state.version === 0) await rejectForeignTables(query)
  const rowsKept = state.kind === "go" ? await countRequests(query) : 0
  if (state.kind === "go") onStep(`bringing the Go gateway's tables up to date (${rowsKept} requests)`)
  await query(script.text.replace(OUTER_TRANSACTION, ""))
  return { did: DID[state.kind], rowsKept }
}

/** Creates the schema that the search path names, if it does not exist. The path then names only this schema. */
async function createSchema(query: RunQuery): Promise<void> {
  const { rows } = await query<{ path: string; exists: boolean }>(
    "SELECT current_setting('search_path') AS path, current_schema() IS NOT NULL AS exists",
  )
  const { path, exists } = rows[0]!
  if (!exists) await query(`CREATE SCHEMA IF NOT EXISTS ${path.split(", ", 1)[0]}`)
}

const DID = {
  none: "created",
  go: "upgraded from the Go gateway",
  older: "updated",
  current: "nothing",
  newer: "nothing",
} as const

/** schema.sql brings its own transaction for psql; here it is part of a larger one. */
const OUTER_TRANSACTION = /^(BEGIN|COMMIT);$/gm

/** The result of `migrate` if nothing is to be done. */
function toUnchanged(state: SchemaState, version: number): Migration | undefined {
  rejectBreakingState(state, version)
  if (state.kind === "newer") return { did: "nothing", rowsKept: 0, newerVersion: state.version }
  return state.kind === "current" ? { did: "nothing", rowsKept: 0 } : undefined
}

async function countRequests(query: RunQuery): Promise<number> {
  const { rows } = await query<{ count: string }>("SELECT count(*) FROM llm_requests")
  return Number(rows[0]!.count)
}

function explainFailure(error: unknown): never {
  const code = toErrorCode(error)
  const message = error instanceof Error ? error.message : ""
  if (code === "42501") {
    throw new CommandError(
      `the database user may not create or change tables here (${message}): grant it, or run migrate as their owner`,
    )
  }
  if (code === "2BP01" || /materialized view/.test(message)) {
    throw new CommandError(`${message}: drop what depends on it, migrate, and create it again`)
  }
  throw explainServerError(error)
}
