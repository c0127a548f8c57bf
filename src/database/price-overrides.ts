import { CommandError } from "../core/errors.ts"
import { type OwnPrice, parseOwnPrices } from "../core/own-prices.ts"
import type { PriceOverride, PriceOverrideStore } from "../core/price-override.ts"
import { toRateLabel } from "../core/rates.ts"
import type { Database, RunQuery } from "./_database.ts"
import { readIfMigrated } from "./failures.ts"

/** A price that was set, as the table has it. */
export interface StoredOverride {
  /** In lower case, as the provider. */
  readonly model: string
  readonly provider: string | null
  /** The first day on which it applies, `YYYY-MM-DD` in UTC; null: from the beginning. */
  readonly from: string | null
  /** USD per million tokens, or per piece, by the name of the rate. */
  readonly rates: Readonly<Record<string, string>>
  readonly set_at: Date
  readonly set_by: string
}

/** The key of a price that was set. */
type OverrideKey = Pick<StoredOverride, "model" | "provider" | "from">

const CHANNEL = "majordomo_prices"

const COLUMNS = `model, nullif(provider, '') AS provider, nullif(valid_from, '-infinity')::text AS from, rates, set_at, set_by`

/** Returns all prices that were set, by model, and the prices of one model in the order of their days. */
export async function readPriceOverrides(query: RunQuery): Promise<readonly StoredOverride[]> {
  const text = `SELECT ${COLUMNS} FROM majordomo_price_overrides o ORDER BY o.model, o.provider, o.valid_from`
  return (await query<StoredOverride>(text)).rows
}

/** Stores a price. It replaces the one with the same key, which is returned as `before`. */
export async function putPriceOverride(
  query: RunQuery,
  { model, provider, price, setBy }: PriceOverride & { readonly setBy: string },
): Promise<{ readonly before: StoredOverride | undefined; readonly after: StoredOverride }> {
  const key = { model, provider, from: price.from ?? null }
  const { rows: before } = await query<StoredOverride>({
    text: `SELECT ${COLUMNS} FROM majordomo_price_overrides o WHERE ${SAME_KEY} FOR UPDATE`,
    values: toValues(key),
  })
  const { rows: after } = await query<StoredOverride>({
    text: `INSERT INTO majordomo_price_overrides (model, provider, valid_from, rates, set_by)
      VALUES ($1, coalesce($2, ''), coalesce($3::date, '-infinity'), $4, $5)
      ON CONFLICT (provider, model, valid_from) DO UPDATE
        SET rates = excluded.rates, set_at = excluded.set_at, set_by = excluded.set_by
      RETURNING ${COLUMNS}`,
    values: [...toValues(key), JSON.stringify(toRates(price)), setBy],
  })
  return { before: before[0], after: after[0]! }
}

/** Deletes the price with a key, or all prices of a model if `from` is undefined. Returns what was deleted. */
export async function deletePriceOverrides(
  query: RunQuery,
  { model, provider, from }: Pick<OverrideKey, "model" | "provider"> & { readonly from: string | null | undefined },
): Promise<readonly StoredOverride[]> {
  const { rows } = await query<StoredOverride>({
    text: `DELETE FROM majordomo_price_overrides o
      WHERE ${from === undefined ? SAME_MODEL : SAME_KEY} RETURNING ${COLUMNS}`,
    values: from === undefined ? [model, provider] : toValues({ model, provider, from }),
  })
  return rows
}

const SAME_MODEL = "o.model = $1 AND o.provider = coalesce($2, '')"
const SAME_KEY = `${SAME_MODEL} AND o.valid_from = coalesce($3::date, '-infinity')`

function toValues({ model, provider, from }: OverrideKey): readonly unknown[] {
  return [model, provider, from]
}

function toRates({ base }: OwnPrice): StoredOverride["rates"] {
  return Object.fromEntries(Object.entries(base).map(([name, usd]) => [toRateLabel(name as keyof typeof base), usd]))
}

/**
 * Opens the prices that were set in the database. A row that is not valid, because somebody wrote it by hand, is left out and
 * logged.
 */
export function createPriceOverrideStore(db: Database, log: (line: string) => void): PriceOverrideStore {
  return {
    read: async () => {
      const rows = await readIfMigrated(() => readPriceOverrides(db.query))
      return rows.flatMap((row) => parse(row, log) ?? [])
    },
    listen: (onChange) => {
      let isUp = false
      return db.listen(CHANNEL, {
        onNotify: onChange,
        // A change before the connection was up was not heard. On one that delivers nothing, each attempt reads again.
        onState: (up) => {
          if (!up || !isUp) onChange()
          isUp = up
        },
      })
    },
  }
}

function parse({ model, provider, from, rates }: StoredOverride, log: (line: string) => void) {
  try {
    const [price] = parseOwnPrices(`the price of ${model} in majordomo_price_overrides`, { ...rates, from })
    return { model, provider, price: price! }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    log(`${error.message}; it is not used`)
    return undefined
  }
}
