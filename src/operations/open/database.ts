import type { Settings } from "../../config/settings.ts"
import type { Database } from "../../database/_database.ts"
import { explainServerError } from "../../database/failures.ts"
import { joinDatabase, openDatabase } from "../../database/open.ts"
import type { Context } from "../context.ts"

interface OpenOptions {
  readonly settings: Settings
  log(line: string): void
}

/**
 * Opens the configured database, calls `work` with it, and closes it again.
 *
 * @throws CommandError if the database cannot be opened, has no schema or an old one, or cannot do what `work` needs
 */
export async function withDatabase<T>(
  { settings, log }: OpenOptions,
  work: (context: Context<"settings" | "database" | "now" | "log">) => Promise<T>,
): Promise<T> {
  const database = await openForOperation({ settings, log })
  try {
    return await work({ settings, database, now: Date.now, log })
  } catch (error) {
    throw explainServerError(error)
  } finally {
    await database.close()
  }
}

/**
 * Opens the configured database until the caller closes it. An embedded database is joined if a gateway has it open.
 *
 * @throws CommandError if the database cannot be opened
 */
export function openForOperation({ settings, log }: OpenOptions): Promise<Database> {
  return openDatabase(settings.storage, { role: "command", log })
}

/**
 * Connects to the database of a running gateway, for an operation that lasts. It never opens the embedded database
 * itself, because no gateway could start while it is open.
 */
export function connectToDatabase({ storage }: Settings): Promise<Database> {
  return joinDatabase(storage)
}
