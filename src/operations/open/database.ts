import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import type { Database } from "../../database/_database.ts"
import { joinDatabase, openDatabase } from "../../database/open.ts"
import type { Context } from "../context.ts"

interface OpenOptions {
  readonly settings: Settings
  log(line: string): void
}

/**
 * Opens the configured database, calls `work` with it, and closes it again.
 *
 * @throws CommandError if the database cannot be opened, or has no schema or an old one
 */
export async function withDatabase<T>(
  { settings, log }: OpenOptions,
  work: (context: Context<"settings" | "database" | "now" | "log">) => Promise<T>,
): Promise<T> {
  const database = await openForOperation({ settings, log })
  try {
    return await work({ settings, database, now: Date.now, log })
  } catch (error) {
    throw explainMissingSchema(error)
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

/** Returns a `CommandError` that says what to do if a table or column is missing, else the error itself. */
export function explainMissingSchema(error: unknown): unknown {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  const isMissing = code === UNDEFINED_TABLE || code === UNDEFINED_COLUMN
  return isMissing
    ? new CommandError("the database has no schema yet, or an old one: run majordomo-gateway migrate")
    : error
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const UNDEFINED_TABLE = "42P01"
const UNDEFINED_COLUMN = "42703"
