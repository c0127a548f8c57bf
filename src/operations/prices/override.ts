import { CommandError } from "../../core/errors.ts"
import { type OwnPrice, parseOwnPrices, parsePeriod } from "../../core/own-prices.ts"
import type { StoredOverride } from "../../database/price-overrides.ts"
import { InputError } from "../input-error.ts"

/** A price that somebody set, as JSON shows it. */
export interface Override extends Omit<StoredOverride, "set_at"> {
  /** ISO 8601. */
  readonly set_at: string
}

/** Names are stored like this, and found in any case. */
interface OverrideName {
  readonly model: string
  readonly provider: string | null
}

export function toOverride({ set_at: setAt, ...rest }: StoredOverride): Override {
  return { ...rest, set_at: setAt.toISOString() }
}

/** The length of the longest name that a request can have. */
const MAX_NAME_LENGTH = 256

/** @throws InputError for a name that is empty, too long or cannot be stored */
export function parseOverrideName(model: string, provider: string | undefined): OverrideName {
  checkName("model", model)
  if (provider !== undefined) checkName("provider", provider)
  return { model: model.trim().toLowerCase(), provider: provider?.trim().toLowerCase() ?? null }
}

function checkName(field: string, name: string): void {
  if (name.trim() === "" || name.length > MAX_NAME_LENGTH || /[\0\p{Surrogate}]/u.test(name)) {
    throw new InputError(field, `expected a name of at most ${MAX_NAME_LENGTH} characters`)
  }
}

/**
 * Parses the rates of a price, which is in USD per million tokens or per piece.
 *
 * @throws InputError for a rate, for the day, or if there is no rate
 */
export function parseOverridePrice(rates: Readonly<Record<string, unknown>>, from: string | undefined): OwnPrice {
  return explain(() => parseOwnPrices("", { ...rates, from })[0]!)
}

/**
 * Parses the day of a price that was set.
 *
 * @returns null for `start`, the price without a day; undefined for undefined
 * @throws InputError for another text
 */
export function parseOverrideDay(from: string | undefined): string | null | undefined {
  return from === "start" ? null : explain(() => parsePeriod("", { from }).from)
}

/** @throws InputError instead of a CommandError whose message begins with the place of the value, such as `.input: ` */
function explain<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    const [, field = "", problem = error.message] = /^\.?(\w*): ([\s\S]*)$/.exec(error.message) ?? []
    throw new InputError(field || "rates", problem)
  }
}
