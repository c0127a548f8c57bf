import { addPartitions } from "../database/partitions.ts"
import { countPastRuns } from "../database/past-runs.ts"
import { type Migration, migrate } from "../database/schema.ts"
import type { Context } from "./context.ts"

interface MigrationResult {
  /** The name of the database, such as `PostgreSQL`. */
  readonly database: string
  readonly did: Migration["did"]
  /** Rows that the Go gateway had written and that were kept. */
  readonly rows_kept: number
  /** The version of a schema that is newer than this program and compatible with it, so that it was left as it is. */
  readonly newer_version?: number
}

/** Brings the schema of the database up to date. It may be repeated. */
export async function migrateSchema({ database, log }: Context<"database" | "log">): Promise<MigrationResult> {
  const { did, rowsKept, newerVersion } = await migrate(database, log)
  await addPartitions(database)
  await countPastRuns(database, {
    onStart: () => log("counting the agent runs of earlier requests; gateways may run meanwhile"),
  })
  return {
    database: database.title,
    did,
    rows_kept: rowsKept,
    ...(newerVersion !== undefined && { newer_version: newerVersion }),
  }
}
