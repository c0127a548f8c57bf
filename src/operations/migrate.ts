import { type Migration, migrate } from "../database/schema.ts"
import type { Context } from "./context.ts"

interface MigrationResult {
  /** The name of the database, such as `PostgreSQL`. */
  readonly database: string
  readonly did: Migration["did"]
  /** Rows that the Go gateway had written and that were kept. */
  readonly rows_kept: number
}

/** Brings the schema of the database up to date. It may be repeated. */
export async function migrateSchema({ database, log }: Context<"database" | "log">): Promise<MigrationResult> {
  const { did, rowsKept } = await migrate(database, log)
  return { database: database.title, did, rows_kept: rowsKept }
}
