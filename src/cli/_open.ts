import type { Settings } from "../config/settings.ts"
import { CommandError } from "../core/errors.ts"
import type { Database } from "../database/_database.ts"
import { joinDatabase, openDatabase } from "../database/open.ts"
import { loadSettings } from "../server/settings.ts"
import { say } from "./_print.ts"

/** The settings of a command; warnings are said. */
export async function openSettings(configFile: string | undefined): Promise<Settings> {
  const { settings, warnings } = await loadSettings({ configFile })
  for (const warning of warnings) say(`warning: ${warning}`)
  return settings
}

/** Opens the configured database for one piece of work and closes it again. */
export async function withDatabase<T>(
  configFile: string | undefined,
  work: (database: Database, settings: Settings) => Promise<T>,
): Promise<T> {
  const settings = await openSettings(configFile)
  return withDatabaseOf(settings, (database) => work(database, settings))
}

/** The same where the settings are read already. */
export async function withDatabaseOf<T>(settings: Settings, work: (database: Database) => Promise<T>): Promise<T> {
  return using(await openDatabase(settings.storage, { role: "command", log: say }), work)
}

/** For a command that stays: it joins the embedded database of a running gateway, and never opens it itself. */
export async function createJoin(configFile: string | undefined): Promise<() => Promise<Database>> {
  const { storage } = await openSettings(configFile)
  return () => joinDatabase(storage)
}

async function using<T>(database: Database, work: (database: Database) => Promise<T>): Promise<T> {
  try {
    return await work(database)
  } catch (error) {
    throw isWithoutSchema(error) ? new CommandError(NO_SCHEMA) : error
  } finally {
    await database.close()
  }
}

export const NO_SCHEMA = "the database has no schema yet, or an old one: run majordomo-gateway migrate"

/** undefined_table, undefined_column. */
export function isWithoutSchema(error: unknown): boolean {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return code === "42P01" || code === "42703"
}
