import { createStatement, IS_ERROR, type Statement } from "./_sql.ts"
import type { Dimension, Value } from "./dimensions.ts"
import { type Filters, toCondition } from "./filters.ts"
import type { Period } from "./period.ts"

/** The numbers of one group of requests. Every request is in exactly one of exact, estimated and unpriced. */
export interface Measures {
  readonly requests: number
  readonly errors: number
  readonly input_tokens: number
  readonly cached_tokens: number
  readonly cache_creation_tokens: number
  readonly output_tokens: number
  /** USD as a plain decimal; null: there are requests, and no price is known for any of them. */
  readonly total_cost: string | null
  /** The part of the report's cost, from 0 to 1. */
  readonly share: number
  readonly exact: number
  readonly estimated: number
  readonly unpriced: number
}

export const SORTS = ["cost", "requests", "errors", "input", "output", "tokens", "name", "time"] as const
export type Sort = (typeof SORTS)[number]

export interface UsageQuestion {
  readonly by: readonly Dimension[]
  readonly period: Period
  readonly filters: Filters
  readonly sort?: Sort | undefined
  readonly limit?: number | undefined
}

export interface UsageRow extends Measures {
  /** One value per dimension, in their order. */
  readonly values: readonly Value[]
  /** With `key` among the dimensions: its id, for names need not be unique. */
  readonly keyId: string | undefined
}

export interface UsageAnswer {
  readonly rows: readonly UsageRow[]
  readonly total: Measures
  /** How many rows there are without the limit. */
  readonly groups: number
}

const ORDERS: Readonly<Record<Exclude<Sort, "time" | "name">, string>> = {
  cost: "total_cost DESC NULLS LAST, requests DESC",
  requests: "requests DESC",
  errors: "errors DESC, requests DESC",
  input: "input_tokens DESC",
  output: "output_tokens DESC",
  tokens: "input_tokens + output_tokens DESC",
}

/** One statement for the rows and their total, so that both tell of the same moment. */
export function askUsage({ by, period, filters, sort, limit }: UsageQuestion): Statement {
  const names = by.map((_, i) => `d${i}`)
  const order = toOrder(by, sort)
  return createStatement((bind) => {
    const groups = by.map((dimension, i) => `${dimension.sql(bind, period.tz)} AS d${i}`)
    const condition = toCondition(filters, period, bind)
    const isTotal = by.length === 0 ? "1" : `grouping(${names.join(", ")})`
    const sets = by.length === 0 ? "()" : `(${names.join(", ")}), ()`
    const keyAt = by.findIndex(({ name }) => name === "key")
    return `
WITH picked AS (
  SELECT ${[...groups, "r.*"].join(", ")} FROM llm_requests r WHERE ${condition}
), summed AS (
  SELECT ${[...names, `${isTotal} > 0 AS is_total`].join(", ")},
    count(*) AS requests,
    count(*) FILTER (WHERE ${IS_ERROR}) AS errors,
    coalesce(sum(r.input_tokens), 0) AS input_tokens,
    coalesce(sum(r.cached_tokens), 0) AS cached_tokens,
    coalesce(sum(r.cache_creation_tokens), 0) AS cache_creation_tokens,
    coalesce(sum(r.output_tokens), 0) AS output_tokens,
    sum(r.total_cost) FILTER (WHERE r.cost_status <> 'unpriced') AS total_cost,
    count(*) FILTER (WHERE r.cost_status IN ('exact', 'free')) AS exact,
    count(*) FILTER (WHERE r.cost_status IN ('estimated', 'inconsistent')) AS estimated,
    count(*) FILTER (WHERE r.cost_status = 'unpriced') AS unpriced
  FROM picked r GROUP BY GROUPING SETS (${sets})
)
SELECT s.*, trim_scale(s.total_cost)::text AS cost, (count(*) OVER ()) - 1 AS groups${keyAt < 0 ? "" : ", k.name AS key_name"}
FROM summed s${keyAt < 0 ? "" : ` LEFT JOIN api_keys k ON k.id::text = s.d${keyAt}`}
ORDER BY is_total DESC, ${order}
${limit === undefined ? "" : `LIMIT ${bind(limit + 1)}`}`
  })
}

/** Ends with the names, so that equal rows do not change places from one run to the next. */
function toOrder(by: readonly Dimension[], sort: Sort | undefined): string {
  const names = by.map((dimension, i) => (dimension.name === "key" ? `k.name, d${i}` : `d${i}`))
  const chosen = sort ?? (by.some(({ order }) => order === "time") ? "time" : "cost")
  if (chosen !== "time" && chosen !== "name") return [ORDERS[chosen], ...names].join(", ")
  const times = by.flatMap(({ order }, i) => (order === "time" && chosen === "time" ? [`d${i}`] : []))
  const rest = sort === "name" ? names : [ORDERS.cost, ...names]
  return [...times, ...rest].join(", ")
}

/** What the database answered to `askUsage`, in types that a program can rely on. */
export function readUsage(raw: readonly Record<string, unknown>[], { by, period }: UsageQuestion): UsageAnswer {
  const totalRow = raw.find((row) => row["is_total"] === true)
  const total = toMeasures(totalRow ?? {}, undefined)
  const all = toCost(totalRow ?? {}) ?? "0"
  const rows = raw
    .filter((row) => row !== totalRow)
    .map((row): UsageRow => {
      const values = by.map((dimension, i) => {
        const own = row[`d${i}`]
        const named = dimension.name === "key" ? (row["key_name"] ?? own) : own
        return dimension.toValue(named ?? null, period.tz)
      })
      const keyAt = by.findIndex(({ name }) => name === "key")
      const keyId = keyAt < 0 || row[`d${keyAt}`] === null ? undefined : String(row[`d${keyAt}`])
      return { values, keyId, ...toMeasures(row, all) }
    })
  return { rows, total, groups: Number(totalRow?.["groups"] ?? 0) }
}

function toMeasures(row: Record<string, unknown>, all: string | undefined): Measures {
  const count = (name: string) => Number(row[name] ?? 0)
  const cost = toCost(row)
  return {
    requests: count("requests"),
    errors: count("errors"),
    input_tokens: count("input_tokens"),
    cached_tokens: count("cached_tokens"),
    cache_creation_tokens: count("cache_creation_tokens"),
    output_tokens: count("output_tokens"),
    total_cost: cost ?? (count("requests") === 0 ? "0" : null),
    share: toShare(cost, all ?? cost),
    exact: count("exact"),
    estimated: count("estimated"),
    unpriced: count("unpriced"),
  }
}

function toCost(row: Record<string, unknown>): string | undefined {
  return row["cost"] === null || row["cost"] === undefined ? undefined : String(row["cost"])
}

/** A part for people and bars: six digits are enough, and money itself stays in decimals. */
function toShare(cost: string | undefined, all: string | undefined): number {
  const whole = Number(all ?? 0)
  return whole > 0 ? Math.round((Number(cost ?? 0) / whole) * 1e6) / 1e6 : 0
}
