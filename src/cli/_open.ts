import type { Settings } from "../config/settings.ts"
import { withDatabase as openDatabase } from "../operations/open/database.ts"
import { printMessage } from "./_print.ts"
import { loadCommandSettings } from "./_settings.ts"

type DatabaseContext = Parameters<Parameters<typeof openDatabase>[1]>[0]

/** Loads the settings of a command and prints their warnings. */
export async function openSettings(configFile: string | undefined): Promise<Settings> {
  const { settings, warnings } = await loadCommandSettings({ configFile })
  for (const warning of warnings) printMessage(`warning: ${warning}`)
  return settings
}

/** Loads the settings for an operation that opens what it needs by itself. */
export async function withSettings<T>(
  configFile: string | undefined,
  work: (context: { settings: Settings; now(): number; log(line: string): void }) => Promise<T> | T,
): Promise<T> {
  return work({ settings: await openSettings(configFile), now: Date.now, log: printMessage })
}

/**
 * Opens the configured database for one operation. Every command that uses the database opens it here. An embedded
 * database that does not exist is created only with `mayCreate`.
 */
export async function withDatabase<T>(
  configFile: string | undefined,
  work: (context: DatabaseContext) => Promise<T>,
  { mayCreate = false }: { readonly mayCreate?: boolean } = {},
): Promise<T> {
  return openDatabase({ settings: await openSettings(configFile), log: printMessage, mayCreate }, work)
}
