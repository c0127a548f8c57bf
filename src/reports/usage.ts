import { createStatement, type Statement } from "./_sql.ts"
import type { Dimension, Value } from "./dimensions.ts"
import type { Filters } from "./filters.ts"
import { toSteps } from "./groups.ts"
import type { Period } from "./period.ts"
import { NO_ROLLUPS, type RollupState } from "./rollup-state.ts"
import { MEASURE_NAMES, type MeasureName } from "./sources.ts"
import { type Top, toTopSteps } from "./top.ts"

/** The numbers of one group of requests. Each request counts in exactly one of `exact`, `estimated` and `unpriced`. */
export interface Measures {
  readonly requests: number
  readonly errors: number
  readonly input_tokens: number
  readonly cached_tokens: number
  readonly cache_creation_tokens: number
  readonly output_tokens: number
  /** The bill: USD as a plain decimal. Null means that there are billed requests, but none of them has a known price. */
  readonly total_cost: string | null
  /** The share of the report's total cost, from 0 to 1. */
  readonly share: number
  readonly exact: number
  readonly estimated: number
  readonly unpriced: number
  /** The requests that are on no bill, because a subscription pays for them. */
  readonly subscription_requests: number
  /** What the API would have charged for them, in USD. It is not part of `total_cost`. Null means that it is not known. */
  readonly subscription_value: string | null
}

export const SORTS = ["cost", "requests", "errors", "input", "output", "tokens", "name", "time"] as const
export type Sort = (typeof SORTS)[number]

export interface UsageQuestion {
  readonly by: readonly Dimension[]
  readonly period: Period
  /** The period that a report compares its numbers with; `askUsage` does not read it. */
  readonly comparedWith?: Period | undefined
  readonly filters: Filters
  readonly sort?: Sort | undefined
  readonly limit?: number | undefined
}

export interface UsageRow extends Measures {
  /** One value per dimension, in the order of the dimensions. */
  readonly values: readonly Value[]
  /** The id of the key if `key` is a dimension, because names of keys need not be unique. */
  readonly keyId: string | undefined
}

export interface UsageAnswer {
  readonly rows: readonly UsageRow[]
  readonly total: Measures
  /** The number of rows without the limit. */
  readonly groups: number
}

const ORDERS: Readonly<Record<Exclude<Sort, "time" | "name">, string>> = {
  cost: "s.cost DESC NULLS LAST, s.value DESC NULLS LAST, requests DESC",
  requests: "requests DESC",
  errors: "errors DESC, requests DESC",
  input: "input_tokens DESC",
  output: "output_tokens DESC",
  tokens: "input_tokens + output_tokens DESC",
}

/** The measures from which the cost and the value of subscriptions are computed. */
const OF_MONEY: readonly string[] = ["total_cost", "without_cost", "subscription_value", "subscription_without_value"]
/** The measures that the answer shows in addition to these two. */
const SHOWN = MEASURE_NAMES.filter((name) => !OF_MONEY.includes(name))

/**
 * Builds one statement for the rows and their total. The total comes first only if there is a limit, because sorting by one
 * more column is slower.
 */
export function askUsage(question: UsageQuestion, rollups: RollupState = NO_ROLLUPS): Statement {
  const { by, sort, limit } = question
  const names = by.map((_, i) => `d${i}`)
  const keyAt = by.findIndex(({ name }) => name === "key")
  return createStatement((bind) => {
    const context = { question, measures: MEASURE_NAMES, rollups, bind }
    const top = toTop(question)
    const topSteps = top && toTopSteps(context, top)
    const groups = topSteps ? "(SELECT groups FROM counted)" : "(count(*) OVER ()) - 1"
    const steps = [
      ...(topSteps ?? toSteps(context)),
      `priced AS (SELECT *, ${COST} AS cost, ${VALUE} AS value FROM summed)`,
    ]
    return `WITH ${steps.join(", ")}
SELECT ${["is_total", ...names, ...SHOWN].join(", ")}, trim_scale(s.cost)::text AS cost, trim_scale(s.value)::text AS value,
  ${groups} AS groups${keyAt < 0 ? "" : ", k.name AS key_name"}
FROM priced s${keyAt < 0 ? "" : ` LEFT JOIN api_keys k ON k.id = s.d${keyAt}`}
ORDER BY ${limit === undefined ? "" : "is_total DESC, "}${toOrder(by, sort)}
${limit === undefined ? "" : `LIMIT ${bind(limit + 1)}`}`
  })
}

/** The measures with which the order of groups begins. A cost that is not known is a sum of 0, and comes last. */
const RANKS: Readonly<Record<Exclude<Sort, "time" | "name">, readonly MeasureName[]>> = {
  cost: ["total_cost"],
  requests: ["requests"],
  errors: ["errors"],
  input: ["input_tokens"],
  output: ["output_tokens"],
  tokens: ["input_tokens", "output_tokens"],
}

/** Returns how to choose the groups of a report with a limit. The order of times begins with a time instead. */
function toTop({ by, sort = "cost", limit }: UsageQuestion): Top | undefined {
  if (limit === undefined || by.some(({ order }) => order === "time")) return undefined
  if (sort === "name") return { limit, by: undefined }
  return { limit, by: RANKS[sort === "time" ? "cost" : sort] }
}

/** The cost of a group, or NULL if no cost of a billed request is known. The Go gateway stored 0 in that case. */
const COST = `CASE WHEN requests > subscription_requests AND (requests - subscription_requests = without_cost
  OR (requests - subscription_requests = unpriced - subscription_without_value AND total_cost = 0)) THEN NULL ELSE total_cost END`
const VALUE = `CASE WHEN subscription_requests > 0 AND subscription_requests = subscription_without_value THEN NULL
  ELSE subscription_value END`

/** Returns the ORDER BY list. It ends with the names, so that rows with equal values keep their order between runs. */
function toOrder(by: readonly Dimension[], sort: Sort | undefined): string {
  const names = toNameOrder(by)
  const chosen = sort ?? (by.some(({ order }) => order === "time") ? "time" : "cost")
  if (chosen === "time") return toGroupOrder(by, ORDERS.cost)
  if (chosen === "name" && names.length > 0) return names.join(", ")
  return [ORDERS[chosen === "name" ? "cost" : chosen], ...names].join(", ")
}

/** Returns an ORDER BY list: times in ascending order, then a number, then the names. */
export function toGroupOrder(by: readonly Dimension[], number: string): string {
  const times = by.flatMap(({ order }, i) => (order === "time" ? [`d${i}`] : []))
  return [...times, number, ...toNameOrder(by)].join(", ")
}

const toNameOrder = (by: readonly Dimension[]) =>
  by.map((dimension, i) => (dimension.name === "key" ? `k.name, d${i}` : `d${i}`))

/** Converts the rows of the statement from `askUsage` to typed values. */
export function readUsage(raw: readonly Record<string, unknown>[], { by, period }: UsageQuestion): UsageAnswer {
  const totalRow = raw.find((row) => row["is_total"] === true)
  const total = toMeasures(totalRow ?? {}, undefined)
  const totalCost = toMoney(totalRow?.["cost"]) ?? "0"
  const rows = raw
    .filter((row) => row !== totalRow)
    .map((row): UsageRow => ({ ...toGroup(row, { by, period }), ...toMeasures(row, totalCost) }))
  return { rows, total, groups: Number(totalRow?.["groups"] ?? 0) }
}

/** Returns the values of a row's dimensions (`d0`, `d1`), with the name of a key in place of its id. */
export function toGroup(
  row: Record<string, unknown>,
  { by, period }: Pick<UsageQuestion, "by" | "period">,
): Pick<UsageRow, "values" | "keyId"> {
  const values = by.map((dimension, i) => {
    const own = row[`d${i}`]
    const named = dimension.name === "key" ? (row["key_name"] ?? own) : own
    return dimension.toValue(named ?? null, period.tz)
  })
  const keyAt = by.findIndex(({ name }) => name === "key")
  const keyId = keyAt < 0 || row[`d${keyAt}`] === null ? undefined : String(row[`d${keyAt}`])
  return { values, keyId }
}

function toMeasures(row: Record<string, unknown>, totalCost: string | undefined): Measures {
  const count = (name: string) => Number(row[name] ?? 0)
  const cost = toMoney(row["cost"])
  return {
    requests: count("requests"),
    errors: count("errors"),
    input_tokens: count("input_tokens"),
    cached_tokens: count("cached_tokens"),
    cache_creation_tokens: count("cache_creation_tokens"),
    output_tokens: count("output_tokens"),
    total_cost: cost ?? (count("requests") === 0 ? "0" : null),
    share: toShare(cost, totalCost ?? cost),
    exact: count("exact"),
    estimated: count("estimated"),
    unpriced: count("unpriced"),
    subscription_requests: count("subscription_requests"),
    subscription_value: toMoney(row["value"]) ?? (count("subscription_requests") === 0 ? "0" : null),
  }
}

function toMoney(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : String(value)
}

/** Computes a share for charts. Six digits are enough; the costs themselves stay exact decimals. */
function toShare(cost: string | undefined, totalCost: string | undefined): number {
  const whole = Number(totalCost ?? 0)
  return whole > 0 ? Math.round((Number(cost ?? 0) / whole) * 1e6) / 1e6 : 0
}
