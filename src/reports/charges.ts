import { formatDecimal, multiply, parseDecimal } from "../core/decimal.ts"
import { createStatement, IS_SUBSCRIBED, type Statement } from "./_sql.ts"
import { CAN_BE_ADDED, toCardSums, WHOLE_PRICE } from "./card-sums.ts"
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

/** Whether the lines of a certificate explain its cost cannot be said of a sum, if a provider reported a figure. */
const MAY_BE_UNEXPLAINED = `r.card IN (SELECT id FROM llm_cards WHERE price LIKE '%reported%')`

/**
 * Builds the statement that adds up the lines of the price certificates of billed requests. The values of a group are one
 * text, for the reason that `askRecorded` names.
 */
export function askCharges({ by, period, filters }: Question): Statement {
  return createStatement((bind) => {
    const values = `jsonb_build_array(${by.map((dimension) => dimension.sql(ROWS, bind, period.tz))})::text`
    const billed = `${toCondition({ filters, span: period }, bind)} AND NOT ${IS_SUBSCRIBED} AND r.total_cost IS NOT NULL`
    const whole = `SELECT r.of, r.price FROM (SELECT ${values} AS of, ${WHOLE_PRICE} AS price
      FROM llm_requests r WHERE ${billed} AND NOT (${CAN_BE_ADDED} AND NOT ${MAY_BE_UNEXPLAINED}) OFFSET 0) r WHERE ${IS_EXPLAINED}`
    const sums = `SELECT r.of, r.price FROM (${toCardSums({ of: values }, `${billed} AND NOT ${MAY_BE_UNEXPLAINED}`)}) r`
    return `SELECT of, sum(quantity)::text AS quantity, sum(amount)::text AS amount FROM (
  SELECT (r.of::jsonb || jsonb_build_array(l.bucket, l.kind, l.model, l.rate, r.price -> 'tier', r.price -> 'factors'))::text AS of,
    l.quantity, l.amount
  FROM (${whole} UNION ALL ${sums}) r
  CROSS JOIN LATERAL jsonb_to_recordset(r.price -> 'lines') AS l (bucket text, kind text, model text, rate text, quantity numeric, amount numeric)
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
