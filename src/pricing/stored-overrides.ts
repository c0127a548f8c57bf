import type { OwnPrice } from "../core/own-prices.ts"
import type { PriceOverride, PriceOverrideStore } from "../core/price-override.ts"

/** The prices that somebody set in the database, in memory. */
interface StoredOverrides {
  /** The prices by lower-case name: `model` or `provider/model`. Of each model, the one with the latest day comes first. */
  table(): ReadonlyMap<string, readonly OwnPrice[]>
  /** Reads them again. Never rejects: if the database cannot be reached, they stay as they are, and the log says so once. */
  reload(): Promise<void>
  /** Starts to read them again whenever they change. */
  start(): void
  close(): Promise<void>
}

interface StoredOverridesOptions {
  /** Without it, there are none. */
  readonly store: PriceOverrideStore | undefined
  log(line: string): void
  /** Called when there are other prices. */
  onChange(): void
}

export function createStoredOverrides({ store, log, onChange }: StoredOverridesOptions): StoredOverrides {
  let table: ReadonlyMap<string, readonly OwnPrice[]> = new Map()
  let content = "[]"
  let isAway = false
  let listener: Promise<{ close(): Promise<void> }> | undefined
  let reading = Promise.resolve()

  const read = async (): Promise<void> => {
    try {
      const overrides = (await store?.read()) ?? []
      isAway = false
      const now = JSON.stringify(overrides)
      if (now === content) return
      content = now
      table = toTable(overrides)
      onChange()
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown"
      if (!isAway)
        log(`the prices that were set in the database cannot be read: ${reason}; the last known ones are used`)
      isAway = true
    }
  }
  /** One after the other, so that an older answer never replaces a newer one. */
  const reload = () => {
    reading = reading.then(read)
    return reading
  }

  return {
    table: () => table,
    reload,
    start: () => {
      listener ??= store?.listen(() => void reload())
    },
    close: async () => {
      await (await listener)?.close()
      await reading
    },
  }
}

function toTable(overrides: readonly PriceOverride[]): ReadonlyMap<string, readonly OwnPrice[]> {
  const table = new Map<string, OwnPrice[]>()
  for (const { provider, model, price } of overrides) {
    const name = provider === null ? model : `${provider}/${model}`
    table.set(name, [...(table.get(name) ?? []), price])
  }
  for (const prices of table.values()) prices.sort((a, b) => (b.from ?? "").localeCompare(a.from ?? ""))
  return table
}
