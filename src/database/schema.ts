import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { CommandError } from "../core/errors.ts"
import type { Database, RunQuery } from "./_database.ts"
import { toErrorCode } from "./failures.ts"

/**
 * - `none`: no table of ours is there.
 * - `go`: the tables are the Go gateway's.
 * - `older`: another version of schema.sql was applied, or this one by psql, which leaves no mark.
 * - `current`: this very schema.sql was applied.
 */
export type SchemaState = "none" | "go" | "older" | "current"

export interface Migration {
  readonly did: "created" | "upgraded from the Go gateway" | "updated" | "nothing"
  /** Rows of llm_requests that the Go gateway had written. */
  readonly rowsKept: number
}

/** Rewriting a large table of the Go gateway takes as long as it takes. */
const NO_HURRY_MS = 24 * 3_600_000

/**
 * Applies schema.sql: all of it or nothing, under the advisory lock that schema.sql itself takes, so several at once
 * wait for each other and the later ones find nothing to do. `onStep` gets a line for people before each slow step.
 */
export async function migrate(db: Database, onStep: (line: string) => void = () => {}): Promise<Migration> {
  const sql = readSchema()
  if ((await schemaState(db)) === "current") return { did: "nothing", rowsKept: 0 }
  return db.transaction(async (query) => {
    const patient: RunQuery = (statement) =>
      query({ ...(typeof statement === "string" ? { text: statement } : statement), timeoutMs: NO_HURRY_MS })
    await patient("SELECT pg_advisory_xact_lock(7680, 1)")
    const state = await readState(query, sql)
    if (state === "current") return { did: "nothing", rowsKept: 0 }
    const rowsKept = state === "go" ? await countRows(patient) : 0
    if (state === "go") onStep(`bringing the Go gateway's tables up to date (${rowsKept} requests)`)
    await patient(sql.replace(OUTER_TRANSACTION, "")).catch(explainRefusal)
    await query({ text: "UPDATE majordomo_schema SET digest = $1, applied_at = now()", values: [digest(sql)] })
    return { did: DID[state], rowsKept }
  })
}

function explainRefusal(error: unknown): never {
  const code = toErrorCode(error)
  const message = error instanceof Error ? error.message : ""
  if (code === "42501")
    throw new CommandError(
      `the database user may not create or change tables here (${message}): grant it, or run migrate as their owner`,
    )
  if (code === "2BP01" || /materialized view/.test(message))
    throw new CommandError(`${message}: drop what depends on it, migrate, and create it again`)
  throw error
}

const DID = { none: "created", go: "upgraded from the Go gateway", older: "updated" } as const

/** schema.sql brings its own transaction for psql; here it is part of a larger one. */
const OUTER_TRANSACTION = /^(BEGIN|COMMIT);$/gm

/** Looks only; takes no lock. */
export async function schemaState(db: Database): Promise<SchemaState> {
  return readState(db.query, readSchema())
}

async function readState(query: RunQuery, sql: string): Promise<SchemaState> {
  const { rows } = await query<{ requests: boolean; ours: boolean; marked: boolean }>(`
    SELECT to_regclass('llm_requests') IS NOT NULL AS requests, to_regclass('majordomo_schema') IS NOT NULL AS marked,
      EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('llm_requests') AND attname = 'cost_status' AND NOT attisdropped) AS ours`)
  const seen = rows[0]!
  if (!seen.requests) return "none"
  if (!seen.ours) return "go"
  if (!seen.marked) return "older"
  const mark = await query<{ digest: string | null }>("SELECT digest FROM majordomo_schema")
  return mark.rows[0]?.digest === digest(sql) ? "current" : "older"
}

async function countRows(query: RunQuery): Promise<number> {
  const { rows } = await query<{ count: string }>({ text: "SELECT count(*) FROM llm_requests", timeoutMs: NO_HURRY_MS })
  return Number(rows[0]!.count)
}

function digest(sql: string): string {
  return createHash("sha256").update(sql).digest("hex")
}

/** The text of schema.sql at the root of our package, from the sources and from any file of the built package alike. */
export function readSchema(): string {
  let at = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    const path = join(at, "schema.sql")
    if (existsSync(path) && existsSync(join(at, "package.json"))) return readFileSync(path, "utf8")
    if (dirname(at) === at) throw new Error("schema.sql is missing from this installation: install the package again")
    at = dirname(at)
  }
}
