import type { PriceCertificate } from "../../src/core/cost.ts"
import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import type { LogRecord } from "../../src/core/log-record.ts"

type Costs = Pick<LogRecord, "input_cost" | "output_cost" | "total_cost" | "cost_status" | "price">

/** Returns where the certificate of a row does not add up to its cost columns, to the last digit. Empty if it does. */
export function sumProblems(row: Costs): string[] {
  const price = row.price as PriceCertificate | undefined | null
  const sum = (side?: "input" | "output") =>
    formatDecimal(
      (price?.lines ?? [])
        .filter((line) => side === undefined || line.side === side)
        .reduce((total, { amount }) => total + parseDecimal(amount), 0n),
    )
  const wrong: string[] = []
  const check = (name: string, got: string | null | undefined, want: string | undefined) => {
    const plain = got === null || got === undefined ? undefined : formatDecimal(parseDecimal(got))
    if (plain !== want) wrong.push(`${name}: the lines say ${want}, the row ${plain}`)
  }
  if (row.cost_status === "unpriced") {
    check("total_cost", row.total_cost, undefined)
    if (!price?.reason) wrong.push("unpriced without a reason")
  } else if (price?.reported !== undefined) {
    check("total_cost", row.total_cost, price.reported)
    if (price.computed !== undefined) {
      check("computed", price.computed, sum())
      const parts = [row.input_cost, row.output_cost].map((cost) => parseDecimal(cost ?? "0"))
      check("input_cost + output_cost", row.total_cost, formatDecimal(parts[0]! + parts[1]!))
    }
  } else {
    check("input_cost", row.input_cost, sum("input"))
    check("output_cost", row.output_cost, sum("output"))
    check("total_cost", row.total_cost, sum())
  }
  return wrong
}
