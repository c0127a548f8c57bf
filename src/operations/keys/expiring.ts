import { listExpiringKeys } from "../../database/keys.ts"
import type { Database } from "../context.ts"

/** How long before a key expires people are warned. The dashboard has the same number (`kit/manage.ts`). */
const WARNING_DAYS = 14
const MAX_NAMES = 3

/**
 * Returns a sentence about the API keys that expire soon; undefined if there are none.
 * @param now in milliseconds since the epoch
 */
export async function describeExpiring(database: Database, now: number): Promise<string | undefined> {
  const until = new Date(now + WARNING_DAYS * 86_400_000)
  const keys = await listExpiringKeys(database, { from: new Date(now), until })
  if (keys.length === 0) return undefined
  const named = keys
    .slice(0, MAX_NAMES)
    .map(({ name, expiresAt }) => `${name} on ${expiresAt.toISOString().slice(0, 10)}`)
  const others = keys.length > MAX_NAMES ? [`${keys.length - MAX_NAMES} more`] : []
  const count = keys.length === 1 ? "1 API key expires" : `${keys.length} API keys expire`
  return `${count} within ${WARNING_DAYS} days (${[...named, ...others].join(", ")})`
}
