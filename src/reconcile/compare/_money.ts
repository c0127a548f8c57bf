import { type Decimal, divide, multiply, toMoney } from "../../core/decimal.ts"
import type { Component } from "./_components.ts"
import { quantityOf } from "./_groups.ts"
import { explainPrice, explainWithoutCounts, findingOf, isWithin, type Sides, singleRateOf } from "./_price.ts"
import type { TokenDifference } from "./_quantities.ts"
import { costAt, type Per } from "./_rate.ts"
import type { Cell, Finding } from "./_shapes.ts"

/** The rates that were used for a bucket of a model on other days or by others, where it is one. */
export type FindRate = (cell: Cell) => { readonly rate: Decimal; readonly per: Per } | undefined

interface Valued {
  readonly difference: TokenDifference
  /** USD. Undefined: no rate for the tokens is known. */
  readonly value: Decimal | undefined
}

/**
 * Explains `billed - recorded` of one component. First, differences of tokens are valued at the recorded rates. If that
 * explains the money to the last digit, there is nothing else. Otherwise, tokens that only the bill has are valued at the rate
 * that the bill implies, those that only the records have stay at the recorded one, and the rest belongs to the price.
 */
export function explainMoney(
  component: Component,
  sides: Sides,
  { differences, findRate }: { readonly differences: readonly TokenDifference[]; readonly findRate: FindRate },
): Finding[] {
  const { billed, rounding } = sides
  const valued = differences.map((difference) => ({ difference, value: valueAt(difference, findRate) }))
  const gap = gapOf(sides, valued)
  if (isWithin(gap, rounding)) return valued.map(({ difference, value }) => toFinding(difference, value ?? 0n))
  const unvalued = valued.filter(({ value }) => value === undefined)
  if (unvalued.length > 0 && gap > 0n) {
    const known = valued.filter(({ value }) => value !== undefined)
    return [...known.map(({ difference, value }) => toFinding(difference, value!)), ...shareOut(gap, unvalued)]
  }
  const cells = component.cells.filter((cell) => cell.billed > 0n || quantityOf(cell.entries) > 0n)
  if (cells.length === 0) return [] // requests without tokens, or costs without either
  if (!cells.some((cell) => cell.billed > 0n)) return explainWithoutCounts(component, cells, sides)
  return cells.length === 1
    ? explainCell(cells[0]!, sides, valued[0])
    : explainSeveral(cells, sides, valued, billed - gap)
}

/** Returns whether differences of tokens at the recorded rates are the whole difference. */
export function isExplainedByTokens(
  component: Component,
  sides: Sides,
  { differences, findRate }: { readonly differences: readonly TokenDifference[]; readonly findRate: FindRate },
): boolean {
  if (!component.cells.some(({ entries }) => entries.length > 0)) return false
  const valued = differences.map((difference) => ({ difference, value: valueAt(difference, findRate) }))
  return valued.every(({ value }) => value !== undefined) && isWithin(gapOf(sides, valued), sides.rounding)
}

function gapOf({ billed, recorded }: Sides, valued: readonly Valued[]): Decimal {
  return billed - recorded - valued.reduce((sum, { value }) => sum + (value ?? 0n), 0n)
}

function explainCell(cell: Cell, sides: Sides, valued: Valued | undefined): Finding[] {
  const { billed, recorded } = sides
  if (valued === undefined) return [explainPrice([cell], sides, billed - recorded)]
  const { difference, value } = valued
  // Without records, all of it is different tokens. With several rates, the tokens can have any of them.
  const isOther = cell.entries.length === 0 || isOneOfSeveralRates(billed - recorded, difference)
  if (isOther) return [toFinding(difference, billed - recorded)]
  const atBilledRate = toMoney(divide(multiply(billed, difference.quantity), cell.billed))
  const amount = difference.quantity < 0n ? (value ?? 0n) : atBilledRate
  return [toFinding(difference, amount), explainPrice([cell], sides, billed - recorded - amount)]
}

/** Returns whether an amount for tokens lies between what they cost at the lowest and at the highest recorded rate. */
function isOneOfSeveralRates(amount: Decimal, { cell, quantity }: TokenDifference): boolean {
  const costs = cell.entries
    .filter((entry) => entry.quantity > 0n && entry.line.cost !== undefined)
    .map((entry) => divide(multiply(entry.cost, quantity), entry.quantity))
    .sort((a, b) => (a < b ? -1 : 1))
  const [first, last] = [costs[0], costs.at(-1)]
  return first !== undefined && last !== undefined && first !== last && amount >= first && amount <= last
}

/** Explains several cells that one cost pays for: the rates of all billed tokens are scaled by the same factor. */
function explainSeveral(cells: readonly Cell[], sides: Sides, valued: readonly Valued[], expected: Decimal): Finding[] {
  const { billed, recorded } = sides
  const scaled = valued.map(({ difference, value = 0n }) => {
    const isScaled = difference.quantity > 0n && expected !== 0n
    const amount = isScaled ? toMoney(divide(multiply(value, billed), expected)) : value
    return toFinding(difference, amount)
  })
  const rest = billed - recorded - scaled.reduce((sum, { amount }) => sum + amount, 0n)
  return [...scaled, explainPrice(cells, sides, rest)]
}

/** Divides an amount among differences without a known rate, in proportion to their tokens. */
function shareOut(amount: Decimal, valued: readonly Valued[]): Finding[] {
  const total = valued.reduce((sum, { difference }) => sum + difference.quantity, 0n)
  let open = amount
  return valued.map(({ difference }, at) => {
    const isLast = at === valued.length - 1
    const share = isLast || total === 0n ? open : toMoney(divide(multiply(amount, difference.quantity), total))
    open -= share
    return toFinding(difference, share)
  })
}

function toFinding({ cell, cause, why, requests, quantity }: TokenDifference, amount: Decimal): Finding {
  return { ...findingOf(cell), cause, why, amount, requests, quantity }
}

/** Values tokens at the recorded rate of their cell, or else at the only rate that is known for the bucket of the model. */
function valueAt({ cell, quantity }: TokenDifference, findRate: FindRate): Decimal | undefined {
  const priced = cell.entries.filter((entry) => entry.line.cost !== undefined && entry.quantity > 0n)
  if (priced.length > 0) {
    const rate = singleRateOf(priced)
    if (rate !== undefined) return costAt(quantity, rate.rate, rate.per)
    const cost = priced.reduce((sum, entry) => sum + entry.cost, 0n)
    // Not divided first: the quantity can be a multiple of what was recorded, and the value is then exact.
    return divide(multiply(cost, quantity), quantityOf(priced))
  }
  const known = findRate(cell)
  return known === undefined ? undefined : costAt(quantity, known.rate, known.per)
}
