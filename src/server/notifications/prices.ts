import type { Database } from "../../database/_database.ts"
import { isWanted } from "../../notifications/rules.ts"
import type { PriceBook } from "../../pricing/price-book.ts"
import type { Outbox } from "./outbox.ts"
import type { NotificationOptions } from "./parts.ts"

interface PriceOptions extends Pick<NotificationOptions, "settings"> {
  readonly database: Database
  readonly prices: PriceBook
  /** Changes before this time are not told. */
  readonly since: number
  readonly now: () => number
}

/** Two gateways may see a change of a price list hours apart. */
const SAME_HOURS = 48

/** Creates the check whether the prices of models in use have changed since the last one. */
export function createPriceCheck(
  { settings, database, prices, now, ...options }: PriceOptions,
  { notify }: Pick<Outbox, "notify">,
): () => Promise<void> {
  let { since } = options
  let version: number | undefined
  const isOn = isWanted("price_changed", settings.notifications)
  return async () => {
    const at = now()
    const present = prices.version(at)
    if (!isOn || present === version) return
    const { findPriceChanges } = await import("../../operations/notifications/price-changes.ts")
    for (const change of await findPriceChanges({ database, prices }, { since, now: at })) {
      notify(change, { unlessWithinHours: SAME_HOURS })
    }
    since = at
    version = present
  }
}
