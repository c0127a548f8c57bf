import { type Decimal, formatDecimal, multiply, parseDecimal } from "../../core/decimal.ts"
import type { RecordedKind } from "../../core/reconciliation.ts"
import type { Component } from "./_components.ts"
import { countRequests, quantityOf } from "./_groups.ts"
import { SHARED } from "./_owners.ts"
import { impliedRate, type Per, significantDigits } from "./_rate.ts"
import type { Cell, Entry, Finding, Rate } from "./_shapes.ts"

/** What a component was billed and recorded with, in USD. */
export interface Sides {
  /** What the bill says before discounts, where it says that; else what it charges. */
  readonly billed: Decimal
  readonly recorded: Decimal
  /** How far `billed - recorded` can be from 0 by rounding alone. */
  readonly rounding: Decimal
}

export function isWithin(difference: Decimal, rounding: Decimal): boolean {
  return difference <= rounding && difference >= -rounding
}

/** Returns the names of a cell as those of a finding. */
export function findingOf({ group, bucket }: Cell) {
  const { day, model, tier, owner, projects } = group
  return {
    day,
    model,
    tier: tier === "" ? undefined : tier,
    bucket,
    owner: owner === SHARED ? undefined : owner,
    project: projects.size === 1 ? [...projects][0] : undefined,
  }
}

/** Returns the rate of entries before multipliers, if all have the same one. */
export function singleRateOf(entries: readonly Entry[]): { readonly rate: Decimal; readonly per: Per } | undefined {
  const line = entries[0]?.line
  if (line?.rate === undefined) return undefined
  const isOne = entries.every((each) => each.line.rate === line.rate && each.line.discount === line.discount)
  return isOne ? { rate: multiply(parseDecimal(line.rate), parseDecimal(line.discount)), per: line.per } : undefined
}

/** Returns the finding that the tokens of cells were billed at another rate than they were recorded with. */
export function explainPrice(cells: readonly Cell[], { billed, rounding }: Sides, amount: Decimal): Finding {
  const [first] = cells
  const entries = cells.flatMap((cell) => cell.entries)
  const quantity = cells.reduce((sum, cell) => sum + cell.billed, 0n)
  const isOneBucket = cells.every(({ bucket }) => bucket === first!.bucket)
  const isOneModel = cells.every(({ group }) => group.model === first!.group.model)
  const names = {
    ...findingOf(first!),
    ...(!isOneModel && { model: undefined }),
    ...(!isOneBucket && { bucket: undefined }),
    ...(cells.length > 1 && { tier: undefined, owner: undefined, project: undefined }),
  }
  const rate = isOneBucket && isOneModel && quantity > 0n ? rateOf(entries, { billed, quantity, rounding }) : undefined
  const why = entries.every(({ line }) => line.cost === undefined) ? "no_price" : "rate"
  return { ...names, cause: "price", why, amount, rate, quantity: quantityOf(entries) }
}

function rateOf(
  entries: readonly Entry[],
  { billed, quantity, rounding }: { readonly billed: Decimal; readonly quantity: Decimal; readonly rounding: Decimal },
): Rate {
  const largest = entries.toSorted((a, b) => (a.quantity < b.quantity ? 1 : -1))[0]?.line
  const per = largest?.per ?? "million"
  const priced = entries.filter(({ line }) => line.cost !== undefined)
  const single = singleRateOf(priced)
  const average = () =>
    impliedRate(
      priced.reduce((sum, { cost }) => sum + cost, 0n),
      quantityOf(priced),
      per,
      0n,
    )
  return {
    billed: impliedRate(billed, quantity, per, rounding),
    recorded: single ? formatDecimal(single.rate) : quantityOf(priced) > 0n ? average() : undefined,
    per,
    source: largest?.source,
    date: largest?.date,
  }
}

/** A rate with at most this many digits is one that a provider would set, and not the quotient of any two numbers. */
const MAX_RATE_DIGITS = 4
/** Rates are told apart only if the amount has this many digits more than its rounding. */
const MIN_PRECISION = 1_000_000n

const UNMETERED = new Set(["cut_off", "failed", "pending", "unreported"] as const)
const ESTIMATED = new Set(["estimated"] as const)

/**
 * Explains a difference on a day for which the bill reports costs without tokens. Only a rate that a provider would set can be
 * told from other tokens. Otherwise, the requests decide whose usage is not known exactly.
 */
export function explainWithoutCounts(component: Component, cells: readonly Cell[], sides: Sides): Finding[] {
  const { billed, recorded, rounding } = sides
  const amount = billed - recorded
  const names = findingOf(cells[0]!)
  const isOneModel = cells.every(({ group }) => group.model === names.model)
  const named = { ...names, ...(!isOneModel && { model: undefined }), ...(cells.length > 1 && { bucket: undefined }) }
  if (cells.length === 1 && billed > rounding * MIN_PRECISION) {
    const { per } = cells[0]!.entries[0]!.line
    const quantity = quantityOf(cells[0]!.entries)
    const rate = impliedRate(billed, quantity, per, rounding)
    if (significantDigits(rate) <= MAX_RATE_DIGITS) {
      const priced = { ...cells[0]!, billed: quantity }
      return [explainPrice([priced], sides, amount)]
    }
  }
  const groups = [...new Set(component.cells.map(({ group }) => group))]
  const count = (kinds: ReadonlySet<RecordedKind>) =>
    groups.reduce((sum, group) => sum + countRequests(group, kinds), 0)
  const unmetered = count(UNMETERED)
  if (amount > 0n && unmetered > 0) {
    const why = groups
      .flatMap(({ requests }) => requests)
      .find(({ kind }) => kind !== "metered" && kind !== "estimated")
    const kind = why?.kind as "cut_off" | "failed" | "pending" | "unreported"
    return [{ ...named, cause: "unmetered", why: kind, amount, requests: unmetered }]
  }
  const estimated = count(ESTIMATED)
  if (estimated > 0) return [{ ...named, cause: "estimated", why: "estimated", amount, requests: estimated }]
  return [{ ...named, cause: "unexplained", why: "no_counts", amount }]
}
