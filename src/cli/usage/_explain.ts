import { explainCost } from "../../operations/requests/explain.ts"
import type { RequestRow } from "../../operations/requests/row.ts"
import { alignPoints } from "../_money.ts"
import type { Screen } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { printable } from "../_text.ts"
import { toCostCell } from "./requests.ts"

type CostExplanation = ReturnType<typeof explainCost>

/** Renders a cost as a table that ends with its sum: quantity, rate, factor, amount, and the source of each rate. */
export function renderExplanation(row: RequestRow, screen: Screen): string {
  const explanation = explainCost(row)
  const { lines, reason, advice, reported } = explanation
  const why = [...(reason ? [`Why: ${printable(reason)}`] : []), ...(advice ? [`To do: ${advice}`] : [])]
  const charged = reported ? [`The provider's own figure, $${reported}, is the cost.`] : []
  if (lines.length === 0) return [`Cost: ${toCostCell(row)}`, ...why, ...charged].join("\n")
  const { before, after } = renderNotes(explanation)
  return renderLines(explanation, screen) + [...before, ...why, ...charged, ...after].join("\n")
}

function renderLines({ lines, total }: CostExplanation, screen: Screen): string {
  const amounts = alignPoints([...lines.map(({ amount }) => `$${amount}`), `$${total}`])
  const hasFactor = lines.some(({ factor }) => factor !== "1")
  return renderTable(
    [
      {
        title: "Bucket",
        align: "left",
        cells: lines.map(({ side, bucket }) => (bucket === side ? bucket : `${side}: ${toWords(bucket)}`)),
        total: "Total",
      },
      { title: "Model", align: "left", cells: lines.map(({ model }) => model), hideRank: 3, shrinks: true },
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
        hideRank: 1,
      },
    ],
    screen,
  )
}

/** Returns the sentences below the table, before and after the reason. */
function renderNotes({ input, output, total, tier, factors, reported, computed, adds_up }: CostExplanation) {
  const before = [`Input $${input} + output $${output} = $${total}`]
  if (tier) before.push(`Tier: ${printable(tier)}`)
  if (factors.length > 0) {
    before.push(`Factor: ${factors.map(({ name, value }) => `${printable(name)} x${value}`).join(", ")}`)
  }
  const after: string[] = []
  if (reported && computed) after.push(`The gateway's figure, by the lines above, is $${computed}.`)
  if (!adds_up) after.push("The lines do not add up to the row: the row was changed by hand.")
  return { before, after }
}

/** Returns the name of a bucket in words: `cacheRead` -> `cache read`. */
function toWords(bucket: string): string {
  return bucket.replace(/([A-Z]|1h)/g, (part) => ` ${part.toLowerCase()}`)
}
