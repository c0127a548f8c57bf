import type { Settings } from "../config/settings.ts"
import type { Context } from "../operations/context.ts"
import { withDatabase as openDatabase } from "../operations/open/database.ts"
import { withPriceHistory as openPriceHistory, withPrices as openPrices } from "../operations/open/prices.ts"
import { findActor } from "./_actor.ts"
import { printMessage } from "./_print.ts"
import { loadCommandSettings } from "./_settings.ts"

type DatabaseContext = Parameters<Parameters<typeof openDatabase>[1]>[0] & Context<"actor">
type PricesContext = Parameters<Parameters<typeof openPrices>[1]>[0]

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
  const options = { settings: await openSettings(configFile), log: printMessage, mayCreate }
  return openDatabase(options, (context) => work({ ...context, actor: findActor() }))
}

/** Opens the price book of the settings for one operation. */
export async function withPrices<T>(
  configFile: string | undefined,
  work: (context: PricesContext) => Promise<T> | T,
): Promise<T> {
  return openPrices({ settings: await openSettings(configFile), log: printMessage }, work)
}

/** Opens the price book with its history for one operation. Says so if the database with the history cannot be reached. */
export async function withPriceHistory<T>(
  configFile: string | undefined,
  work: (context: PricesContext) => Promise<T> | T,
): Promise<T> {
  return openPriceHistory({ settings: await openSettings(configFile), log: printMessage }, work)
}

/** Opens the database, and the price book with its history, for one operation. */
export function withPricesAndDatabase<T>(
  configFile: string | undefined,
  work: (context: PricesContext & DatabaseContext) => Promise<T>,
): Promise<T> {
  return withDatabase(configFile, (opened) => openPrices(opened, (context) => work({ ...opened, ...context })))
}
