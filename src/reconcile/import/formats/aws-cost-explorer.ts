import type { Bucket } from "../../../core/reconciliation.ts"
import type { BillFormat } from "../_format.ts"
import { findClaude } from "../_model-name.ts"
import { readUsageType } from "./_aws-usage-type.ts"

/** What the first column is named after, in the first letters of the languages of the console that we know. */
const FIRST = ["service", "usagetype", "servicio", "usagetypegroup"]
const TOTALS = /^(?:total|costestotales)/

interface Column {
  readonly at: number
  readonly item: string
  readonly model: string | undefined
  readonly tier: string | undefined
  readonly bucket: Bucket
}

/**
 * The file that the AWS Cost Explorer downloads: one row per UTC day, and one column per service or usage type. The second row
 * and the last column are totals.
 */
export const awsCostExplorer: BillFormat = {
  label: "a file of the AWS Cost Explorer",
  required: [FIRST, ["totalcosts", "costestotales"]],
  isAmount: (_key, at) => at > 0,
  skips: "column",
  note: "The AWS Cost Explorer does not export tokens, so that differences of this bill cannot be split into tokens and prices. Import a Cost and Usage Report for that.",
  open: ({ columns, lines }) => {
    const isUsageType = columns.keys[0] === "usagetype"
    const billed: Column[] = []
    for (const [at, name] of columns.names.entries()) {
      const currency = columns.currencyOf(at)
      // Columns of usage have a unit in parentheses that is no currency.
      if (at === 0 || currency === undefined || TOTALS.test(columns.keys[at] ?? "")) continue
      const item = name.slice(0, name.lastIndexOf("(")).trim()
      const isBedrock = /bedrock/i.test(item) || (isUsageType && /token/i.test(item))
      if (!isBedrock) {
        lines.skip(item)
        continue
      }
      lines.addCurrency(currency)
      const { model, tier, bucket } = readUsageType(item, undefined)
      billed.push(
        isUsageType
          ? { at, item, model, tier, bucket }
          : { at, item, model: findClaude(item), tier: undefined, bucket: "all" },
      )
    }
    return (row) => {
      // The row of totals has a name in place of a day.
      if (/^\p{L}/u.test(row.cell(0))) return
      const day = row.dayAt(0)
      for (const { at, ...line } of billed) lines.add({ day, ...line }, { cost: row.numberAt(at) })
    }
  },
}
