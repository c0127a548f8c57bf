import type { CostLine, PriceCertificate } from "../../core/cost.ts"
import { NO_USAGE_REASON } from "../../core/cost-sum.ts"
import { formatDecimal, parseDecimal } from "../../core/decimal.ts"
import { alignPoints } from "../_money.ts"
import type { Screen } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { printable } from "../_text.ts"
import { toCostCell } from "./requests.ts"

type Row = Readonly<Record<string, unknown>>

/** A row's cost as a sum that one can do again. Money is USD as plain decimals. */
export interface CostExplanation {
  readonly lines: readonly CostLine[]
  /** What the lines add up to. */
  readonly input: string
  readonly output: string
  readonly total: string
  /** The lines add up to the row's columns to the last digit (where `reported` is the cost: to `computed`). */
  readonly adds_up: boolean
  readonly tier: string | null
  readonly factors: NonNullable<PriceCertificate["factors"]>
  /** The provider's own figure, which is the cost, and ours beside it. */
  readonly reported: string | null
  readonly computed: string | null
  readonly reason: string | null
  /** What to do about a cost that is not known. */
  readonly advice: string | null
}

export function explain(row: Row): CostExplanation {
  const price = (row["price"] ?? { lines: [] }) as PriceCertificate
  const lines = Array.isArray(price.lines) ? price.lines : []
  const input = sumOf(lines.filter(({ side }) => side === "input"))
  const output = sumOf(lines.filter(({ side }) => side === "output"))
  const total = sumOf(lines)
  const isSame = (text: unknown, sum: string) =>
    text !== null && text !== undefined && parseDecimal(String(text)) === parseDecimal(sum)
  const adds_up =
    price.reported === undefined
      ? isSame(row["input_cost"], input) && isSame(row["output_cost"], output) && isSame(row["total_cost"], total)
      : isSame(row["total_cost"], price.reported) && (price.computed === undefined || price.computed === total)
  return {
    lines,
    input,
    output,
    total,
    adds_up,
    tier: price.tier ?? null,
    factors: price.factors ?? [],
    reported: price.reported ?? null,
    computed: price.computed ?? null,
    reason: price.reason ?? null,
    advice: adviceFor(row, price.reason),
  }
}

function sumOf(lines: readonly CostLine[]): string {
  return formatDecimal(lines.reduce((sum, { amount }) => sum + parseDecimal(amount), 0n))
}

function adviceFor(row: Row, reason: string | undefined): string | null {
  if (row["cost_status"] !== "unpriced" || reason === NO_USAGE_REASON) return null
  const model = String(row["model"])
  const day = new Date(row["requested_at"] as string | Date).toISOString().slice(0, 10)
  const which = /^[\w./:@-]+$/.test(model) ? ` --model ${model}` : ""
  return `give the model a price in pricing.overrides, then run: majordomo-gateway pricing reprice --since ${day}${which}`
}

/** The sum as a table: quantity, rate, factor, amount, and where each rate is from. */
export function renderExplanation(row: Row, screen: Screen): string {
  const explained = explain(row)
  const { lines, reason, advice, reported, computed, factors, tier } = explained
  const why = [...(reason ? [`Why: ${printable(reason)}`] : []), ...(advice ? [`To do: ${advice}`] : [])]
  const theirs = reported ? [`The provider's own figure, $${reported}, is the cost.`] : []
  if (lines.length === 0) return [`Cost: ${toCostCell(row)}`, ...why, ...theirs].join("\n")
  const amounts = alignPoints([...lines.map(({ amount }) => `$${amount}`), `$${explained.total}`])
  const hasFactor = lines.some(({ factor }) => factor !== "1")
  const table = renderTable(
    [
      {
        title: "Bucket",
        align: "left",
        cells: lines.map(({ side, bucket }) => (bucket === side ? bucket : `${side}: ${toWords(bucket)}`)),
        total: "Total",
      },
      { title: "Model", align: "left", cells: lines.map(({ model }) => model), leaves: 3, shrinks: true },
      { title: "Quantity", align: "right", cells: toCounts(lines.map(({ quantity }) => quantity)) },
      { title: "Rate", align: "right", cells: alignPoints(lines.map(({ rate }) => `$${rate}`)) },
      { title: "per", align: "left", cells: lines.map(({ per }) => (per === "million" ? "1M" : "1")) },
      ...(hasFactor
        ? [{ title: "Factor", align: "right" as const, cells: lines.map(({ factor }) => `x${factor}`) }]
        : []),
      { title: "Amount", align: "right", cells: amounts.slice(0, -1), total: amounts.at(-1)! },
      {
        title: "Source",
        align: "left",
        cells: lines.map(({ source, date }) => (date ? `${source} ${date}` : source)),
        leaves: 1,
      },
    ],
    screen,
  )
  const notes = [
    `Input $${explained.input} + output $${explained.output} = $${explained.total}`,
    ...(tier ? [`Tier: ${printable(tier)}`] : []),
    ...(factors.length > 0
      ? [`Factor: ${factors.map(({ name, value }) => `${printable(name)} x${value}`).join(", ")}`]
      : []),
    ...why,
    ...theirs,
    ...(reported && computed ? [`Ours, by the lines above, is $${computed}.`] : []),
    ...(explained.adds_up ? [] : ["The lines do not add up to the row: it was changed by hand."]),
  ]
  return table + notes.join("\n")
}

/** `cacheRead` -> `cache read` */
function toWords(bucket: string): string {
  return bucket.replace(/([A-Z]|1h)/g, (part) => ` ${part.toLowerCase()}`)
}
