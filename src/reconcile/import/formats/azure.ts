import { type Decimal, fromNumber, multiply } from "../../../core/decimal.ts"
import type { Bucket } from "../../../core/reconciliation.ts"
import type { BillFormat } from "../_format.ts"
import type { Row } from "../_row.ts"
import { type Meter, readMeter } from "./_azure-meter.ts"

const COST_USD = ["costinusd", "costusd"]
const COST = ["costinbillingcurrency", "pretaxcost", "cost"]
const LIST_USD = ["paygcostinusd"]
const QUANTITY = ["quantity", "usagequantity"]
const AMOUNTS = new Set([...COST_USD, ...COST, ...LIST_USD, ...QUANTITY])
const DATE = ["date", "usagedatetime", "usagedate"]
/** The categories of models that Azure sells; `Cognitive Services` has other services too, which the subcategory tells. */
const CATEGORY = /openai|foundry models|claude|anthropic/i
const SUBCATEGORY = /openai|models$|claude|anthropic/i

/**
 * The cost and usage details of Azure, of all kinds of agreements. Dates are days in UTC and, with slashes, written with the month
 * first. Amounts in US dollars are preferred to the ones in the billing currency.
 */
export const azure: BillFormat = {
  label: "an Azure cost export",
  required: [DATE, ["metername"], [...COST_USD, ...COST]],
  isAmount: (key) => AMOUNTS.has(key),
  dateOrder: "month-first",
  open: ({ lines }) => {
    const meters = new Map<string, Meter>()
    return (row) => {
      const category = row.text("metercategory", "servicename") ?? ""
      const subcategory = row.text("metersubcategory", "metersubcategory") ?? ""
      if (!CATEGORY.test(category) && !SUBCATEGORY.test(subcategory)) return lines.skip(category || undefined)
      const usd = row.number(...COST_USD)
      lines.addCurrency(usd === undefined ? row.text("billingcurrencycode", "billingcurrency", "currency") : "USD")
      lines.addAccount(row.text("billingaccountid", "billingaccountname"))
      const meterName = row.text("metername") ?? subcategory
      const id = `${meterName}\0${subcategory}`
      const meter = meters.get(id) ?? readMeter(meterName, subcategory)
      meters.set(id, meter)
      const other = findOther(row.text("chargetype"))
      lines.add(
        {
          day: row.day(...DATE),
          ...(other === undefined ? meter : { bucket: other }),
          project: row.text("subscriptionid", "subscriptionguid"),
          item: meterName,
        },
        {
          cost: usd ?? row.number(...COST),
          listCost: row.number(...LIST_USD),
          quantity: other === undefined ? toTokens(row, meterName) : undefined,
        },
      )
    }
  },
}

function findOther(chargeType: string | undefined): Bucket | undefined {
  if (chargeType === undefined || /^usage$/i.test(chargeType)) return undefined
  if (/tax/i.test(chargeType)) return "tax"
  return /refund|credit|adjustment/i.test(chargeType) ? "credit" : "other"
}

/** A quantity counts units of so many tokens, which the unit of measure begins with: `1K`, `1M`, `10,000`. */
function toTokens(row: Row, meterName: string): Decimal | undefined {
  const quantity = row.number(...QUANTITY)
  if (quantity === undefined) return undefined
  const unit = row.text("unitofmeasure") ?? ""
  const [, digits = "1", scale = ""] = /^([\d,]+)\s*([KM])?/i.exec(unit) ?? /(\d+)([KM]) Tokens$/i.exec(meterName) ?? []
  const factor = { "": 1, k: 1000, m: 1_000_000 }[scale.toLowerCase()] ?? 1
  return multiply(quantity, fromNumber(Number(digits.replaceAll(",", "")) * factor))
}
