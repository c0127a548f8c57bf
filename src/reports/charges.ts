import { formatDecimal, multiply, parseDecimal } from "../core/decimal.ts"
import { createStatement, IS_SUBSCRIBED, type Statement, toWholeRows } from "./_sql.ts"
import type { Value } from "./dimensions.ts"
import { toCondition } from "./filters.ts"
import { multiplied } from "./recorded.ts"
import { isToken } from "./recorded-kinds.ts"
import { ROWS } from "./sources.ts"
import type { UsageQuestion } from "./usage.ts"

/** What was billed at one price: a sum of equal lines of price certificates. Money is USD as plain decimals. */
export interface Charge {
  /** The values of the dimensions. A key is its id. */
  readonly values: readonly Value[]
  /** What was counted, such as `cacheRead`, and the kind of pieces where it decides the price. */
  readonly bucket: string
  readonly kind: string | undefined
  /** The model in the price list. */
  readonly priced_model: string | undefined
  readonly tier: string | undefined
  readonly quantity: string
  readonly per: "million" | "one"
  /** The price without discounts, and with them. */
  readonly list_price: string
  readonly price: string
  /** The sum of the amounts, each of which was rounded to 12 digits. */
  readonly cost: string
}

type Question = Pick<UsageQuestion, "by" | "period" | "filters">

/** The lines explain the cost, which is not another figure that the provider reported. */
const IS_EXPLAINED =
  "(r.price ->> 'reported' IS NULL OR (r.price ->> 'reported')::numeric = (r.price ->> 'computed')::numeric)"

/**
 * Builds the statement that adds up the lines of the price certificates of billed requests. The values of a group are one
 * text, for the reason that `askRecorded` names.
 */
export function askCharges({ by, period, filters }: Question): Statement {
  return createStatement((bind) => {
    const names = by.map((_, i) => `r.d${i}`)
    const groups = by.map((dimension, i) => `${dimension.sql(ROWS, bind, period.tz)} AS d${i}`)
    const where = toCondition({ filters, span: period }, bind)
    return `SELECT of, sum(quantity)::text AS quantity, sum(amount)::text AS amount FROM (
  SELECT jsonb_build_array(${names}, l.bucket, l.kind, l.model, l.rate, r.tier, r.factors)::text AS of, l.quantity, l.amount
  FROM (SELECT ${groups}, r.price ->> 'tier' AS tier, r.price -> 'factors' AS factors, r.price -> 'lines' AS lines
    FROM ${toWholeRows(`${where} AND NOT ${IS_SUBSCRIBED} AND r.total_cost IS NOT NULL`)} WHERE ${IS_EXPLAINED}) r
  CROSS JOIN LATERAL jsonb_to_recordset(r.lines) AS l (bucket text, kind text, model text, rate text, quantity numeric, amount numeric)
) c GROUP BY of ORDER BY of`
  })
}

/** Converts the rows of the statement from `askCharges`. */
export function readCharges(rows: readonly Record<string, unknown>[], { by, period }: Question): Charge[] {
  return rows.map((row) => {
    const of = JSON.parse(String(row["of"])) as unknown[]
    const values = by.map(({ toValue }, i) => toValue(of[i], period.tz))
    const [bucket, kind, model, text, tier, factors] = of.slice(by.length)
    const { rate, discount } = multiplied(String(text), String(bucket), (factors ?? []) as Factors)
    return {
      values,
      bucket: String(bucket),
      kind: textOf(kind),
      priced_model: textOf(model),
      tier: textOf(tier),
      quantity: formatDecimal(parseDecimal(String(row["quantity"]))),
      per: isToken(String(bucket)) ? "million" : "one",
      list_price: rate,
      price: formatDecimal(multiply(parseDecimal(rate), parseDecimal(discount))),
      cost: formatDecimal(parseDecimal(String(row["amount"]))),
    }
  })
}

type Factors = Parameters<typeof multiplied>[2]

const textOf = (value: unknown) => (value === null || value === undefined ? undefined : String(value))
