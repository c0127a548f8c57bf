import { countRequests, findPercentile, parseHistogram } from "../core/latency.ts"
import { createStatement, IS_ERROR, type Statement } from "./_sql.ts"
import type { Value } from "./dimensions.ts"
import { toCondition } from "./filters.ts"
import { toSteps } from "./groups.ts"
import type { RollupState } from "./rollup-state.ts"
import { LATENCY_MEASURES, ROWS } from "./sources.ts"
import { toGroup, toGroupOrder, type UsageQuestion } from "./usage.ts"

/** How long the requests of a group took, from their arrival to the last byte of the answer. */
export interface Latency {
  readonly requests: number
  readonly errors: number
  /** From 0 to 1. */
  readonly error_rate: number
  /** The requests that have a latency: their answer was complete, and they took at least 1 ms. */
  readonly measured: number
  /** The percentiles. null: no request has a latency. */
  readonly p50_ms: number | null
  readonly p95_ms: number | null
  readonly p99_ms: number | null
}

export interface LatencyRow extends Latency {
  /** One value per dimension, in the order of the dimensions. */
  readonly values: readonly Value[]
  readonly keyId: string | undefined
}

export interface LatencyAnswer {
  /** All groups, times in ascending order and otherwise those with the most requests first. */
  readonly rows: readonly LatencyRow[]
  readonly total: Latency
}

export type LatencyQuestion = Pick<UsageQuestion, "by" | "period" | "filters">

const SHARES = [0.5, 0.95, 0.99] as const

/** Builds one statement that reads the histograms of the groups and of their total. */
export function askLatency(question: LatencyQuestion, rollups: RollupState): Statement {
  return createStatement((bind) => {
    const steps = toSteps({ question, measures: LATENCY_MEASURES, rollups, bind })
    return `WITH ${steps.join(", ")} ${select(question, "requests, errors, latencies::text AS histogram")}`
  })
}

/** Builds one statement that computes the same from each request, so that the percentiles are exact. */
export function askExactLatency({ by, period, filters }: LatencyQuestion, { indexed }: RollupState): Statement {
  return createStatement((bind) => {
    const names = by.map((_, i) => `d${i}`)
    const groups = by.map((dimension, i) => `${dimension.sql(ROWS, bind, period.tz)!} AS d${i}`)
    const where = toCondition({ filters, span: period, indexed }, bind)
    const ms = "CASE WHEN r.outcome = 'complete' AND r.response_time_ms > 0 THEN r.response_time_ms END AS ms"
    const sets = names.length === 0 ? "()" : `(${names.join(", ")}), ()`
    const isTotal = names.length === 0 ? "true" : `grouping(${names.join(", ")}) > 0`
    return `WITH requests AS (SELECT ${[...groups, `${IS_ERROR} AS is_error`, ms]} FROM llm_requests r WHERE ${where}),
summed AS (SELECT ${[`${isTotal} AS is_total`, ...names]}, count(*) AS requests, count(*) FILTER (WHERE is_error) AS errors,
  count(ms) AS measured, percentile_disc(ARRAY[${SHARES}]) WITHIN GROUP (ORDER BY ms) AS percentiles
  FROM requests GROUP BY GROUPING SETS (${sets}))
${select({ by }, "requests, errors, measured, percentiles")}`
  })
}

function select({ by }: Pick<LatencyQuestion, "by">, columns: string): string {
  const names = by.map((_, i) => `d${i}`)
  const keyAt = by.findIndex(({ name }) => name === "key")
  const key = keyAt < 0 ? "" : ` LEFT JOIN api_keys k ON k.id = s.d${keyAt}`
  return `SELECT ${["is_total", ...names, columns, ...(keyAt < 0 ? [] : ["k.name AS key_name"])].join(", ")} FROM summed s${key}
ORDER BY ${toGroupOrder(by, "requests DESC")}`
}

/** Converts the rows of either statement to typed values. */
export function readLatency(raw: readonly Record<string, unknown>[], question: LatencyQuestion): LatencyAnswer {
  const totalRow = raw.find((row) => row["is_total"] === true)
  const rows = raw.filter((row) => row !== totalRow)
  return {
    rows: rows.map((row) => ({ ...toGroup(row, question), ...toLatency(row) })),
    total: toLatency(totalRow ?? {}),
  }
}

function toLatency(row: Record<string, unknown>): Latency {
  const count = (name: string) => Number(row[name] ?? 0)
  const { measured, percentiles } = toPercentiles(row)
  const [p50, p95, p99] = percentiles
  return {
    requests: count("requests"),
    errors: count("errors"),
    error_rate: toErrorRate(count("errors"), count("requests")),
    measured,
    p50_ms: p50 ?? null,
    p95_ms: p95 ?? null,
    p99_ms: p99 ?? null,
  }
}

/** Returns the share of requests with an error, with six digits. */
export function toErrorRate(errors: number, requests: number): number {
  return requests === 0 ? 0 : Math.round((errors / requests) * 1e6) / 1e6
}

function toPercentiles({ histogram, measured, percentiles }: Record<string, unknown>) {
  if (typeof histogram !== "string")
    return { measured: Number(measured ?? 0), percentiles: (percentiles ?? []) as readonly number[] }
  const buckets = parseHistogram(histogram)
  return { measured: countRequests(buckets), percentiles: SHARES.map((share) => findPercentile(buckets, share)) }
}
