import type { Database } from "../database/_database.ts"
import { explainServerError } from "../database/failures.ts"
import { ensureFirstKey, type NewKey } from "../database/keys.ts"
import { openDatabase } from "../database/open.ts"
import { migrate } from "../database/schema.ts"
import type { Scope } from "../kit/scope.ts"
import type { ServerOptions } from "./options.ts"

/**
 * Opens the configured database. The main process also applies the schema, and creates the first key when there is
 * none. A worker leaves both to its primary process.
 */
export async function openStorage(
  { settings, log, worker, firstKey = ensureFirstKey }: Omit<ServerOptions, "onRecord">,
  scope: Scope,
): Promise<{ readonly database: Database; readonly firstKey: NewKey | undefined }> {
  const role = worker ? "worker" : "serve"
  const database = await openDatabase(settings.storage, { role, log: (line) => log("warn", line) })
  scope.own(() => database.close())
  if (worker) return { database, firstKey: undefined }
  try {
    if (settings.storage.autoMigrate) await migrate(database)
    return { database, firstKey: await firstKey(database) }
  } catch (error) {
    throw explainServerError(error)
  }
}
