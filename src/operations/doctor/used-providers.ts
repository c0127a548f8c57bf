import { CommandError } from "../../core/errors.ts"
import type { Database } from "../../database/_database.ts"
import { readIfMigrated } from "../../database/failures.ts"
import { listProviderKeys } from "../../database/provider-keys.ts"
import { BUILT_IN_PROVIDERS } from "../../providers/catalog.ts"
import { DIMENSIONS } from "../../reports/index.ts"
import type { Context } from "../context.ts"
import { openForOperation } from "../open/database.ts"
import { withAsker } from "../usage/asker.ts"

const DAYS_MS = 30 * 86_400_000

/**
 * Returns the names of the providers that are used: a setting names them, requests of the last 30 days went to them, or the
 * gateway holds a key for them. Without a database that can be read, it knows only the settings.
 */
export async function readUsedProviders({ settings }: Context<"settings">): Promise<ReadonlySet<string>> {
  const named = Object.entries(settings.providers)
    .filter(([name, { baseUrl }]) => BUILT_IN_PROVIDERS[name]?.baseUrl !== baseUrl)
    .map(([name]) => name)
  try {
    const database = await openForOperation({ settings, log: () => {} })
    try {
      return new Set([...named, ...(await readRecorded(database))])
    } finally {
      await database.close()
    }
  } catch (error) {
    // The check of the database says what is wrong with it.
    if (error instanceof CommandError) return new Set(named)
    throw error
  }
}

async function readRecorded(database: Database): Promise<readonly string[]> {
  const period = { since: Date.now() - DAYS_MS, until: undefined, tz: "UTC" }
  const by = [DIMENSIONS["provider"]!]
  const asked = await readIfMigrated(async () => {
    return (await withAsker(database, ({ ask }) => ask({ by, period, filters: {} }))).rows
  })
  const keys = await readIfMigrated(() => listProviderKeys(database.query))
  const held = keys.filter(({ removed_at: removedAt }) => removedAt === null)
  return [...asked.map(({ values }) => String(values[0])), ...held.map(({ provider }) => provider)]
}
