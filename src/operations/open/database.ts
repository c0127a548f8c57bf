import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import type { Database } from "../../database/_database.ts"
import { explainServerError } from "../../database/failures.ts"
import { describeStorage, joinDatabase, openDatabase } from "../../database/open.ts"
import { NewerSchemaError } from "../../database/schema-state.ts"
import type { Context } from "../context.ts"
import { findRunningGateways, type RunningGateway } from "./running.ts"

interface OpenOptions {
  readonly settings: Settings
  log(line: string): void
  /** Whether an embedded database that does not exist is created. */
  readonly mayCreate?: boolean
}

/** There is no embedded database yet, and a command that is not meant to create one was called. */
export class NoDatabaseError extends CommandError {}

/**
 * Opens the configured database, calls `work` with it, and closes it again.
 *
 * @throws CommandError if the database cannot be opened, has no schema or an old one, or cannot do what `work` needs
 */
export async function withDatabase<T>(
  options: OpenOptions,
  work: (context: Context<"settings" | "database" | "now" | "log">) => Promise<T>,
): Promise<T> {
  const { settings, log } = options
  const database = await openForOperation(options)
  try {
    return await work({ settings, database, now: Date.now, log })
  } catch (error) {
    throw explainServerError(error)
  } finally {
    await database.close()
  }
}

/**
 * Does the same for an operation that works without a database, too. If there is none, or it cannot be opened, the log says so
 * with `note`, and `work` gets none.
 *
 * @throws NewerSchemaError if the schema is newer than this program and not compatible with it
 */
export async function withDatabaseIfAny<T>(
  options: OpenOptions,
  note: string,
  work: (database: Database | undefined) => Promise<T>,
): Promise<T> {
  const database = await openOrNote(options, note)
  try {
    return await work(database)
  } finally {
    await database?.close()
  }
}

/** Opens the configured database; undefined: it cannot be opened, which the log says after `note`. */
export async function openOrNote({ settings, log }: OpenOptions, note: string): Promise<Database | undefined> {
  try {
    return await openForOperation({ settings, log })
  } catch (error) {
    if (error instanceof NewerSchemaError || !(error instanceof CommandError)) throw error
    const reason =
      error instanceof NoDatabaseError ? "there is no database yet" : `the database cannot be opened: ${error.message}`
    log(`note: ${note}, because ${reason}`)
    return undefined
  }
}

/**
 * Opens the configured database until the caller closes it. An embedded database is joined if a gateway has it open. Says
 * so if gateways of this user run, and none of them uses this database.
 *
 * @throws CommandError if the database cannot be opened, `NoDatabaseError` if there is none and it may not be created
 */
export async function openForOperation({ settings, log, mayCreate = false }: OpenOptions): Promise<Database> {
  const { storage } = settings
  const own = describeStorage(storage)
  const running = findRunningGateways()
  const isUsed = running.some(({ database }) => database === own)
  const hint = running.length === 0 || isUsed ? undefined : describeRunning(running)
  const toMissingError = (dataDir: string) => {
    const todo =
      hint === undefined
        ? "start the gateway, or set storage.data_dir to its data directory"
        : `${hint}: use its settings`
    return new NoDatabaseError(`there is no database in ${dataDir} yet: ${todo}`)
  }
  const database = await openDatabase(storage, { role: "command", log, ...(!mayCreate && { toMissingError }) })
  if (hint !== undefined) log(`note: this command uses ${own}, but ${hint}`)
  return database
}

function describeRunning([first, ...more]: readonly RunningGateway[]): string {
  const others = more.length === 0 ? "" : `, and ${more.length} more run`
  return `the running gateway (process ${first!.pid}) uses ${first!.database}${others}`
}

/**
 * Connects to the database of a running gateway, for an operation that lasts. It never opens the embedded database
 * itself, because no gateway could start while it is open.
 */
export function connectToDatabase({ storage }: Pick<Settings, "storage">): Promise<Database> {
  return joinDatabase(storage)
}
