import { type Decimal, divide, parseDecimal } from "../../core/decimal.ts"
import type { Cell, CostLine, Entry, Group } from "./_shapes.ts"

/** Returns the recorded cost of cells, in USD after discounts. */
export function recordedIn(cells: Iterable<Pick<Cell, "entries">>): Decimal {
  let sum = 0n
  for (const { entries } of cells) for (const { cost } of entries) sum += cost
  return sum
}

/** Returns what the provider charges by lines. */
export function chargedBy(costs: readonly CostLine[]): Decimal {
  return costs.reduce((sum, { cost }) => sum + cost, 0n)
}

/** Returns what lines cost before discounts, as far as the provider says it. */
export function listedBy(costs: readonly CostLine[]): Decimal {
  return costs.reduce((sum, { cost, list }) => sum + (list ?? cost), 0n)
}

/** Returns an entry as it would have been recorded without discounts. */
export function atListPrice(entry: Entry): Entry {
  const { line, cost } = entry
  const discount = parseDecimal(line.discount)
  if (line.discount === "1" || discount === 0n) return entry
  return { ...entry, line: { ...line, discount: "1" }, cost: divide(cost, discount) }
}

/** Returns whether the gateway recorded anything of a group. */
export function hasRecords({ cells, requests }: Group): boolean {
  return requests.length > 0 || [...cells.values()].some(({ entries }) => entries.length > 0)
}
