import { createStatement, type Statement } from "./_sql.ts"
import type { Dimension, Value } from "./dimensions.ts"
import type { Filters } from "./filters.ts"
import { toParts } from "./parts.ts"
import type { Period } from "./period.ts"
import { NO_ROLLUPS, type RollupState } from "./rollup-state.ts"
import { MEASURE_NAMES } from "./sources.ts"

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
  cost: "s.cost DESC NULLS LAST, requests DESC",
  requests: "requests DESC",
  errors: "errors DESC, requests DESC",
  input: "input_tokens DESC",
  output: "output_tokens DESC",
  tokens: "input_tokens + output_tokens DESC",
}

/** What the database adds up, and what of it an answer shows beside the cost. */
const SUMS = MEASURE_NAMES.map((name) => `sum(${name}) AS ${name}`)
const SHOWN = MEASURE_NAMES.filter((name) => name !== "total_cost" && name !== "without_cost")

/**
 * One statement for the rows and their total, so that both tell of the same moment. All is added up in one pass and the
 * total taken from the groups: of ten thousand groups, every further pass costs as much as reading them. The total comes
 * first only where a limit would cut it off: a column before the cost makes a long sort slower.
 */
export function askUsage(question: UsageQuestion, ground: RollupState = NO_ROLLUPS): Statement {
  const { by, sort, limit } = question
  const names = by.map((_, i) => `d${i}`)
  const keyAt = by.findIndex(({ name }) => name === "key")
  return createStatement((bind) => {
    const { named, edges, whole } = toParts(question, ground, bind)
    const ofEdges = edges.length === 0 ? [] : ["SELECT * FROM edges"]
    const rows = by.length === 0 ? "" : "SELECT false AS is_total, * FROM groups WHERE requests <> 0 UNION ALL "
    const steps = [
      ...(edges.length === 0 ? [] : [["edges", unite(edges)]]),
      ["cells", unite([...named, ...ofEdges])],
      ["added", `SELECT ${[...names, ...SUMS]} FROM cells${groupBy(names)}`],
      ["groups", whole === undefined ? "SELECT * FROM added" : toGroupsOfWhole(by, whole, ofEdges)],
      ["summed", `${rows}SELECT ${["true AS is_total", ...names.map(() => "NULL"), ...SUMS]} FROM groups`],
      ["priced", `SELECT *, ${COST} AS cost FROM summed`],
    ]
    return `WITH ${steps.map(([name, text]) => `${name} AS (\n${text}\n)`).join(", ")}
SELECT ${["is_total", ...names, ...SHOWN].join(", ")}, trim_scale(s.cost)::text AS cost,
  (count(*) OVER ()) - 1 AS groups${keyAt < 0 ? "" : ", k.name AS key_name"}
FROM priced s${keyAt < 0 ? "" : ` LEFT JOIN api_keys k ON k.id = s.d${keyAt}`}
ORDER BY ${limit === undefined ? "" : "is_total DESC, "}${toOrder(by, sort)}
${limit === undefined ? "" : `LIMIT ${bind(limit + 1)}`}`
  })
}

/** NULL: nothing is known of what they cost; the Go gateway wrote 0 for that. */
const COST =
  "CASE WHEN requests = without_cost OR (requests = unpriced AND total_cost = 0) THEN NULL ELSE total_cost END"

/**
 * The groups by a metadata name, and the requests without it: all there are, less those that have it. Each of the parts is
 * added up before they are united, for a union makes wide rows of the widest types.
 */
function toGroupsOfWhole(by: readonly Dimension[], whole: string, ofEdges: readonly string[]): string {
  const names = by.map((_, i) => `d${i}`)
  const has = `d${by.findIndex(({ metadata }) => metadata !== undefined)} IS NOT NULL`
  const unnamed = by.map(({ metadata }, i) => (metadata === undefined ? `d${i}` : `NULL::text AS d${i}`))
  const byRest = groupBy(by.flatMap(({ metadata }, i) => (metadata === undefined ? [`d${i}`] : [])))
  const taken = MEASURE_NAMES.map((name) => `-sum(${name}) AS ${name}`)
  const others = [
    `SELECT ${[...names, ...SUMS]} FROM (${whole}) w${groupBy(names)}`,
    ...ofEdges.map(() => `SELECT ${[...unnamed, ...SUMS]} FROM edges${byRest}`),
    `SELECT ${[...unnamed, ...taken]} FROM added WHERE ${has}${byRest}`,
  ]
  return unite([
    `SELECT * FROM added WHERE ${has}`,
    `SELECT ${[...names, ...SUMS]} FROM (${unite(others)}) o${groupBy(names)}`,
  ])
}

const unite = (parts: readonly string[]) => parts.join("\nUNION ALL\n")
const groupBy = (names: readonly string[]) => (names.length === 0 ? "" : ` GROUP BY ${names.join(", ")}`)

/** Ends with the names, so that equal rows do not change places from one run to the next. */
function toOrder(by: readonly Dimension[], sort: Sort | undefined): string {
  const names = by.map((dimension, i) => (dimension.name === "key" ? `k.name, d${i}` : `d${i}`))
  const chosen = sort ?? (by.some(({ order }) => order === "time") ? "time" : "cost")
  if (chosen !== "time" && chosen !== "name") return [ORDERS[chosen], ...names].join(", ")
  const times = by.flatMap(({ order }, i) => (order === "time" && chosen === "time" ? [`d${i}`] : []))
  const rest = sort === "name" && names.length > 0 ? names : [ORDERS.cost, ...names]
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
