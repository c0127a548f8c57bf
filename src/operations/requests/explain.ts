import type { CostLine, PriceCertificate } from "../../core/cost.ts"
import { NO_USAGE_REASON } from "../../core/cost-sum.ts"
import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import type { RequestRow } from "./row.ts"

/** A row's cost as a sum that can be computed again by hand. Money is USD as plain decimals. */
interface CostExplanation {
  readonly lines: readonly CostLine[]
  /** The sums of the lines. */
  readonly input: string
  readonly output: string
  readonly total: string
  /** The lines add up to the row's columns to the last digit (if the cost is `reported`: to `computed`). */
  readonly adds_up: boolean
  readonly tier: string | null
  readonly factors: NonNullable<PriceCertificate["factors"]>
  /** The provider's own figure, which is then the cost, and the figure that the gateway computed. */
  readonly reported: string | null
  readonly computed: string | null
  readonly reason: string | null
  /** The advice for a cost that is not known. */
  readonly advice: string | null
}

/** Explains the cost of a request from the price that its row holds. */
export function explainCost(row: RequestRow): CostExplanation {
  const price = (row["price"] ?? { lines: [] }) as PriceCertificate
  const lines = Array.isArray(price.lines) ? price.lines : []
  const sums = {
    input: sumOf(lines.filter(({ side }) => side === "input")),
    output: sumOf(lines.filter(({ side }) => side === "output")),
    total: sumOf(lines),
  }
  return {
    lines,
    ...sums,
    adds_up: addsUp(row, price, sums),
    tier: price.tier ?? null,
    factors: price.factors ?? [],
    reported: price.reported ?? null,
    computed: price.computed ?? null,
    reason: price.reason ?? null,
    advice: toAdvice(row, price.reason),
  }
}

type Sums = Readonly<Record<"input" | "output" | "total", string>>

function addsUp(row: RequestRow, { reported, computed }: PriceCertificate, { input, output, total }: Sums): boolean {
  if (reported !== undefined) {
    return isEqual(row["total_cost"], reported) && (computed === undefined || computed === total)
  }
  return isEqual(row["input_cost"], input) && isEqual(row["output_cost"], output) && isEqual(row["total_cost"], total)
}

function isEqual(column: unknown, sum: string): boolean {
  return column !== null && column !== undefined && parseDecimal(String(column)) === parseDecimal(sum)
}

function sumOf(lines: readonly CostLine[]): string {
  return formatDecimal(lines.reduce((sum, { amount }) => sum + parseDecimal(amount), 0n))
}

function toAdvice(row: RequestRow, reason: string | undefined): string | null {
  if (row["cost_status"] !== "unpriced" || reason?.startsWith(NO_USAGE_REASON)) return null
  const model = String(row["model"])
  const day = new Date(row["requested_at"] as string | Date).toISOString().slice(0, 10)
  const which = /^[\w./:@-]+$/.test(model) ? ` --model ${model}` : ""
  return `give the model a price in pricing.overrides, then run: majordomo-gateway pricing reprice --since ${day}${which}`
}
