import { setTimeout as wait } from "node:timers/promises"
import { GATEWAY_ACTOR } from "../core/actor.ts"
import type { Database } from "../database/_database.ts"
import { recordChange } from "../database/access/audit.ts"
import { DatabaseNotReady, explainServerError } from "../database/failures.ts"
import type { NewKey } from "../database/key-rows.ts"
import { countKeys, ensureFirstKey } from "../database/keys.ts"
import { hasDatabase, openDatabase } from "../database/open.ts"
import { migrate } from "../database/schema.ts"
import type { Scope } from "../kit/scope.ts"
import { toKey } from "../operations/keys/key.ts"
import { syncConfiguredLimits } from "../operations/limits/sync.ts"
import type { ServerOptions } from "./options.ts"
import { openWaitingRoom } from "./waiting-room.ts"

const RETRY_MS = 1000

type StorageOptions = Omit<ServerOptions, "onRecord">

// Without "key …:" before the command: the log would take it for a key, and show `***` in its place.
const NO_KEY =
  "every request is rejected, because there is no API key yet; majordomo-gateway keys create --name NAME creates one"

/**
 * Opens the configured database. The main process also waits until a PostgreSQL is ready, applies the schema, creates the
 * first key when there is none, unless the settings forbid it, and stores the limits of the configuration. A worker leaves
 * this to its primary process.
 */
export async function openStorage(
  options: StorageOptions,
  scope: Scope,
): Promise<{ readonly database: Database; readonly firstKey: NewKey | undefined }> {
  const { settings, worker, log, firstKey } = options
  if (!(await hasDatabase(settings.storage))) log("info", "Creating the embedded database, which takes 3 to 30 seconds")
  const database = await openWhenReady(options)
  scope.own(() => database.close())
  if (worker) return { database, firstKey: undefined }
  try {
    if (settings.storage.autoMigrate) await migrate(database)
    const create = firstKey ?? (settings.server.createFirstKey ? createFirstKey : undefined)
    const created = await create?.(database)
    if (!create && (await countKeys(database)) === 0) log("warn", NO_KEY)
    await syncLimits(database, options)
    return { database, firstKey: created }
  } catch (error) {
    throw explainServerError(error)
  }
}

/** A database that accepts no changes does not keep the gateway from serving: the limits that it has apply. */
async function syncLimits(database: Database, { settings, log }: StorageOptions): Promise<void> {
  const warn = (line: string) => log("warn", line)
  await syncConfiguredLimits(database, settings, warn).catch((error: Error) =>
    warn(`limits: those of the configuration could not be stored, so those of the database apply: ${error.message}`),
  )
}

function createFirstKey(database: Database): Promise<NewKey | undefined> {
  return ensureFirstKey(database, (query, key) =>
    recordChange(query, GATEWAY_ACTOR, { action: "keys.create", target: key.id, after: toKey(key, Date.now(), []) }),
  )
}

/** After a boot, a database is often later than the gateway. Tries again until `storage.wait` has passed. */
async function openWhenReady({ settings, log, worker }: StorageOptions): Promise<Database> {
  const { storage, server } = settings
  const deadline = performance.now() + storage.waitMs
  let closeRoom: (() => Promise<void>) | undefined
  let logged = ""
  try {
    for (;;) {
      try {
        return await openDatabase(storage, { role: worker ? "worker" : "serve", log: (line) => log("warn", line) })
      } catch (error) {
        const leftMs = deadline - performance.now()
        if (!(error instanceof DatabaseNotReady) || leftMs <= 0) throw error
        if (error.message !== logged) {
          log("warn", `${error.message}. Trying again for ${Math.ceil(leftMs / 1000)} s (storage.wait)`)
        }
        logged = error.message
        if (!worker && server.port !== 0) closeRoom ??= await openWaitingRoom(server)
        await wait(Math.min(RETRY_MS, leftMs))
      }
    }
  } finally {
    await closeRoom?.()
  }
}
