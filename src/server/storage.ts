import type { Database } from "../database/_database.ts"
import { explainServerError } from "../database/failures.ts"
import { countKeys, ensureFirstKey, type NewKey } from "../database/keys.ts"
import { openDatabase } from "../database/open.ts"
import { migrate } from "../database/schema.ts"
import type { Scope } from "../kit/scope.ts"
import type { ServerOptions } from "./options.ts"

const NO_KEY = "there is no API key yet, so every request is rejected: majordomo-gateway keys create --name NAME"

/**
 * Opens the configured database. The main process also applies the schema, and creates the first key when there is
 * none, unless the settings forbid it. A worker leaves both to its primary process.
 */
export async function openStorage(
  { settings, log, worker, firstKey }: Omit<ServerOptions, "onRecord">,
  scope: Scope,
): Promise<{ readonly database: Database; readonly firstKey: NewKey | undefined }> {
  const role = worker ? "worker" : "serve"
  const database = await openDatabase(settings.storage, { role, log: (line) => log("warn", line) })
  scope.own(() => database.close())
  if (worker) return { database, firstKey: undefined }
  try {
    if (settings.storage.autoMigrate) await migrate(database)
    const create = firstKey ?? (settings.server.createFirstKey ? ensureFirstKey : undefined)
    if (create) return { database, firstKey: await create(database) }
    if ((await countKeys(database)) === 0) log("warn", NO_KEY)
    return { database, firstKey: undefined }
  } catch (error) {
    throw explainServerError(error)
  }
}
