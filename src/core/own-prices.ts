import type { RateName, Rates } from "./cost.ts"
import { formatDecimal, fromNumber, parseDecimal } from "./decimal.ts"
import { CommandError } from "./errors.ts"
import { RATES_BY_KEY } from "./rates.ts"

/** A price that the user set for one model, in USD per million tokens or per piece. */
export interface OwnPrice {
  readonly base: Rates
  /** The rates of a whole request with more than `above` tokens, in ascending order. */
  readonly tiers: readonly { readonly above: number; readonly rates: Rates }[]
  /** The first day on which the price applies, and the first day after it: `YYYY-MM-DD` in UTC. */
  readonly from?: string
  readonly to?: string
}

/** The user's prices by model, or by `provider/model`. A model has several prices if they change with time. */
export type OwnPrices = Readonly<Record<string, readonly OwnPrice[]>>

/** A period in days, UTC. `to` is the first day after it. */
interface Period {
  readonly from?: string
  readonly to?: string
}

/** A percentage that a provider takes off its list prices. */
export interface Discount extends Period {
  /** The part of a price that remains: `"0.9"` for a discount of 10 %. */
  readonly factor: string
}

/** Parses a percentage below 100 with at most 6 digits after the point, without its sign; undefined if it is none. */
export function parsePercent(text: string): string | undefined {
  return /^\d{1,2}(?:\.\d{1,6})?$/.test(text) ? formatDecimal(parseDecimal(text)) : undefined
}

/**
 * Returns the part of a price that remains after a discount in percent.
 *
 * Worked example: `"12.5"` gives `"0.875"`.
 */
export function toDiscountFactor(percent: string): string {
  return formatDecimal((parseDecimal("100") - parseDecimal(percent)) / 100n)
}

/** Returns whether a period contains the time `at`, in milliseconds since the epoch. */
export function isInPeriod({ from, to }: Period, at: number): boolean {
  return (from === undefined || at >= Date.parse(from)) && (to === undefined || at < Date.parse(to))
}

/**
 * Parses one price, such as `{ input: 2, output: "8.5", tiers: [{ above: 200000, input: 4 }], from: "2026-10-01" }`, or a
 * list of prices for different periods.
 *
 * @param where the place of the value, which begins each message
 * @param otherNames further names of rates; those without a rate are ignored
 * @throws CommandError that says what is wrong with the value
 */
export function parseOwnPrices(
  where: string,
  given: unknown,
  otherNames: Readonly<Record<string, RateName | undefined>> = {},
): readonly OwnPrice[] {
  if (!Array.isArray(given)) return [parseOwnPrice(where, given, otherNames)]
  if (given.length === 0) throw new CommandError(`${where}: expected at least one price`)
  return given.map((each, index) => parseOwnPrice(`${where}[${index}]`, each, otherNames))
}

type OtherNames = Readonly<Record<string, RateName | undefined>>

function parseOwnPrice(where: string, given: unknown, otherNames: OtherNames): OwnPrice {
  if (!isRecord(given)) throw new CommandError(`${where}: expected an object of rates`)
  const { tiers, from, to, ...rates } = given
  return {
    base: parseRates(where, rates, otherNames),
    tiers: tiers === undefined ? [] : parseTiers(`${where}.tiers`, tiers, otherNames),
    ...parsePeriod(where, { from, to }),
  }
}

function parseTiers(where: string, given: unknown, otherNames: OtherNames): OwnPrice["tiers"] {
  if (!Array.isArray(given)) throw new CommandError(`${where}: expected a list such as [{ above: 200000, input: 4 }]`)
  return given
    .map((tier: unknown, index) => {
      const place = `${where}[${index}]`
      const { above, ...rates } = isRecord(tier) ? tier : {}
      if (typeof above !== "number" || !Number.isSafeInteger(above) || above < 1) {
        throw new CommandError(`${place}.above: expected a number of tokens`)
      }
      return { above, rates: parseRates(place, rates, otherNames) }
    })
    .sort((a, b) => a.above - b.above)
}

function parseRates(where: string, given: Readonly<Record<string, unknown>>, otherNames: OtherNames): Rates {
  const rates: { [K in RateName]?: string } = {}
  for (const [key, value] of Object.entries(given)) {
    if (value === null || (key in otherNames && otherNames[key] === undefined)) continue
    const name = RATES_BY_KEY.get(key) ?? otherNames[key]
    if (name === undefined) {
      throw new CommandError(`${where}: unknown rate "${key}"; known are ${[...RATES_BY_KEY.keys()].join(", ")}`)
    }
    rates[name] = parseRate(`${where}.${key}`, value)
  }
  if (Object.keys(rates).length === 0) throw new CommandError(`${where}: expected at least one rate`)
  return rates
}

const MAX_RATE = parseDecimal("1000000000")

function parseRate(where: string, value: unknown): string {
  try {
    const rate = typeof value === "number" ? fromNumber(value) : parseDecimal(String(value))
    if (rate >= 0n && rate < MAX_RATE) return formatDecimal(rate)
  } catch {
    // Reported below, with its place.
  }
  throw new CommandError(`${where}: expected USD per million tokens, not negative, got ${JSON.stringify(value)}`)
}

/** Parses the days of a period. YAML parses a day without quotes as a date. */
export function parsePeriod(where: string, given: { readonly from?: unknown; readonly to?: unknown }): Period {
  const period: { from?: string; to?: string } = {}
  for (const name of ["from", "to"] as const) {
    const value = given[name]
    if (value === undefined || value === null) continue
    const day = value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString().slice(0, 10) : value
    if (typeof day !== "string" || !/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(Date.parse(day))) {
      throw new CommandError(`${where}.${name}: expected a day such as 2026-10-01, got ${JSON.stringify(value)}`)
    }
    period[name] = day
  }
  if (period.from !== undefined && period.to !== undefined && period.from >= period.to) {
    throw new CommandError(`${where}: expected \`to\` after \`from\`; \`to\` is the first day after the period`)
  }
  return period
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
