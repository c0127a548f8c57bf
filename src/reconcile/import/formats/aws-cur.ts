import { type Decimal, fromNumber, multiply } from "../../../core/decimal.ts"
import type { Bucket } from "../../../core/reconciliation.ts"
import type { BillFormat } from "../_format.ts"
import type { Row } from "../_row.ts"
import { readUsageType, type UsageType } from "./_aws-usage-type.ts"

const AMOUNTS = new Set(["lineitemunblendedcost", "lineitemusageamount", "pricingpublicondemandcost"])
const START = ["lineitemusagestartdate"]
const END = ["lineitemusageenddate"]
/** The other types of lines. `Usage`, `DiscountedUsage` and `SavingsPlanCoveredUsage` are usage. */
const BUCKETS: readonly (readonly [RegExp, Bucket])[] = [
  [/^Tax$/i, "tax"],
  [/Credit|Refund|Discount$|SavingsPlanNegation/i, "credit"],
  [/Fee$|^Fee/i, "other"],
]

/**
 * The Cost and Usage Report of AWS, the legacy one and version 2, whose columns differ only in case and punctuation. Its
 * times are in UTC. The unblended cost is what is billed; discounts and credits are lines of their own.
 */
export const awsCur: BillFormat = {
  label: "an AWS Cost and Usage Report",
  required: [["lineitemusagestartdate"], ["lineitemunblendedcost"], ["lineitemusagetype"]],
  isAmount: (key) => AMOUNTS.has(key),
  open: ({ lines }) => {
    const types = new Map<string, UsageType>()
    return (row) => {
      const usageType = row.text("lineitemusagetype") ?? ""
      const product = row.text("productproductname") ?? productName(row.text("product"))
      const code = row.text("lineitemproductcode")
      if (![code, product, row.text("lineitemlineitemdescription")].some(isBedrock)) return lines.skip(code)
      lines.addAccount(row.text("billpayeraccountid"))
      lines.addCurrency(row.text("lineitemcurrencycode"))
      const lineType = row.text("lineitemlineitemtype") ?? "Usage"
      const other = BUCKETS.find(([words]) => words.test(lineType))?.[1]
      const project = row.text("lineitemusageaccountid")
      const cost = row.number("lineitemunblendedcost")
      if (other !== undefined) {
        const item = row.text("lineitemlineitemdescription") ?? lineType
        // Taxes, credits and fees can be about a month. They count on its first day.
        return lines.add({ day: row.day(...START), bucket: other, project, item }, { cost })
      }
      const id = `${usageType}\0${product ?? ""}`
      const type = types.get(id) ?? readUsageType(usageType, product)
      types.set(id, type)
      lines.add(
        {
          day: row.dayOfPeriod(START, END),
          model: type.model,
          tier: type.tier,
          bucket: type.bucket,
          key: row.text("lineitemiamprincipal"),
          project,
          item: usageType,
        },
        { cost, listCost: row.number("pricingpublicondemandcost"), quantity: toTokens(row, type) },
      )
    }
  },
}

function isBedrock(name: string | undefined): boolean {
  return name !== undefined && /bedrock/i.test(name)
}

/** Version 2 has the product as a map in JSON. */
function productName(product: string | undefined): string | undefined {
  return product === undefined ? undefined : /"product_name"\s*:\s*"([^"]*)"/.exec(product)?.[1]
}

function toTokens(row: Row, { tokensPerUnit }: UsageType): Decimal | undefined {
  const amount = row.number("lineitemusageamount")
  if (amount === undefined) return undefined
  const unit = row.text("pricingunit")?.toLowerCase() ?? ""
  const [, count, scale] = /^(\d*)\s*([km])\b/.exec(unit) ?? []
  const perUnit = scale === undefined ? tokensPerUnit : Number(count || 1) * (scale === "k" ? 1000 : 1_000_000)
  return multiply(amount, fromNumber(perUnit))
}
