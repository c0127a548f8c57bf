import { type Decimal, formatDecimal, fromNumber, multiply } from "../../../src/core/decimal.ts"
import type { Bucket } from "../../../src/core/reconciliation.ts"
import { type Entry, toCostEntries, toUsageEntries } from "./_anthropic-entries.ts"
import { type Books, dayStart } from "./_books.ts"
import { type AdminRequest, BadRequest, checkNames, groupBy, limitOf, listOf, pageOf } from "./_respond.ts"

const DAY_MS = 86_400_000
const BETA = "analytics-usage-cost-2026-08-24"
const DIMENSIONS = ["model", "api_key_id", "workspace_id", "service_tier", "context_window", "inference_geo", "speed"]
const COST_KINDS = ["cost_type", "token_type"]

/** Returns the answer of the newer reports, or undefined for other paths. */
export function answerAnalytics(books: Books, { path, query, headers }: AdminRequest): unknown {
  const kind = /^\/v1\/organizations\/analytics\/(usage|cost)$/.exec(path)?.[1]
  if (kind === undefined) return undefined
  if (!String(headers["anthropic-beta"]).split(",").includes(BETA)) {
    throw new BadRequest(`this endpoint is in beta: requests must send ${BETA} in the header anthropic-beta`)
  }
  const filters = ["workspace_ids", "api_key_ids", "models", "service_tiers"]
  const range = ["starting_at", "ending_at", "time_bucket_width", "group_by", "order_by", "order", "limit", "page"]
  checkNames(query, [...range, ...filters])
  const by = listOf(query, "group_by", kind === "cost" ? [...DIMENSIONS, ...COST_KINDS] : DIMENSIONS)
  const dimensions = by.filter((name) => !COST_KINDS.includes(name))
  if (dimensions.length > 5) throw new BadRequest("group_by: at most 5 dimensions")
  const { start, end } = rangeOf(query, books.now())
  const isInRange = ({ at }: { readonly at: number }) => at >= start && at < end
  const entries = (kind === "cost" ? toCostEntries(books) : toUsageEntries(books)).filter(isInRange)
  const bucketed = query.get("time_bucket_width") === "1d"
  const bucketOf = ({ at }: Entry) => (bucketed ? dayStart(at) : start)
  const rows = groupBy(filtered(entries, query), (entry) => [
    bucketOf(entry),
    ...dimensions.map((name) => entry.values[name]),
  ])
  const sorted = [...rows].sort(([a], [b]) => bucketOf(a!) - bucketOf(b!))
  const page = pageOf(sorted, query, limitOf(query, 20, 1000))
  const toItem = (group: readonly Entry[]) => {
    const from = bucketOf(group[0]!)
    const until = bucketed ? from + DAY_MS : end
    const members = Object.fromEntries(
      [...DIMENSIONS, ...(kind === "cost" ? COST_KINDS : [])].map((name) => [
        name,
        by.includes(name) ? (group[0]!.values[name] ?? null) : null,
      ]),
    )
    const times = { starting_at: isoOf(from), ending_at: isoOf(until) }
    return kind === "cost"
      ? { ...times, group: members, cost: toAmounts(group) }
      : { ...times, group: members, usage: toUsage(group) }
  }
  // The kinds of costs fan out the rows of a page, and do not count toward its limit.
  const fanned =
    kind === "cost" ? page.data.flatMap((row) => groupBy(row, ({ values }) => kindsOf(values, by))) : page.data
  return { ...page, data: fanned.map(toItem), data_refreshed_at: isoOf(books.now()) }
}

/** Returns the answer of the legacy reports, or undefined for other paths. */
export function answerLegacy(books: Books, { path, query }: AdminRequest): unknown {
  const range = ["starting_at", "ending_at", "bucket_width", "group_by", "limit", "page"]
  if (path === "/v1/organizations/usage_report/messages") {
    checkNames(query, [...range, "workspace_ids", "api_key_ids", "models", "service_tiers"])
    const by = listOf(query, "group_by", DIMENSIONS)
    return toBuckets(books, filtered(toUsageEntries(books), query), query, (inBucket) =>
      groupBy(inBucket, ({ values }) => by.map((name) => values[name])).map((group) => ({
        ...Object.fromEntries(
          DIMENSIONS.map((name) => [name, by.includes(name) ? (group[0]!.values[name] ?? null) : null]),
        ),
        ...toUsage(group),
        requests: undefined,
        total_tokens: undefined,
      })),
    )
  }
  if (path !== "/v1/organizations/cost_report") return undefined
  checkNames(query, range)
  const by = listOf(query, "group_by", ["workspace_id", "description"])
  const described = ["model", "service_tier", "cost_type", "token_type", "description"]
  return toBuckets(books, toCostEntries(books), query, (inBucket) =>
    groupBy(inBucket, ({ values }) => by.map((name) => values[name])).map((group) => ({
      workspace_id: by.includes("workspace_id") ? (group[0]!.values["workspace_id"] ?? null) : null,
      ...Object.fromEntries(
        described.map((name) => [name, by.includes("description") ? (group[0]!.values[name] ?? null) : null]),
      ),
      currency: "USD",
      amount: toAmounts(group).amount,
    })),
  )
}

function toBuckets(
  books: Books,
  entries: readonly Entry[],
  query: URLSearchParams,
  toResults: (inBucket: readonly Entry[]) => readonly unknown[],
): unknown {
  const start = dayStart(timeOf(query, "starting_at"))
  const end = query.has("ending_at") ? timeOf(query, "ending_at") : books.now()
  const data: unknown[] = []
  for (let at = start; at + DAY_MS <= end; at += DAY_MS) {
    const inBucket = entries.filter((entry) => dayStart(entry.at) === at)
    data.push({ starting_at: isoOf(at), ending_at: isoOf(at + DAY_MS), results: toResults(inBucket) })
  }
  return pageOf(data, query, limitOf(query, 7, 31))
}

function kindsOf(values: Entry["values"], by: readonly string[]): readonly unknown[] {
  const costType = by.includes("cost_type") || by.includes("token_type") ? values["cost_type"] : null
  return [costType, by.includes("token_type") ? values["token_type"] : null]
}

function filtered(entries: readonly Entry[], query: URLSearchParams): readonly Entry[] {
  const wanted: readonly (readonly [string, string])[] = [
    ["workspace_ids", "workspace_id"],
    ["api_key_ids", "api_key_id"],
    ["models", "model"],
    ["service_tiers", "service_tier"],
  ]
  return entries.filter(({ values }) =>
    wanted.every(([parameter, name]) => {
      const list = listOf(query, parameter)
      return list.length === 0 || list.includes(values[name] ?? "")
    }),
  )
}

function toUsage(group: readonly Entry[]) {
  const works = group.flatMap(({ work }) => work ?? [])
  const sum = (bucket: Bucket) => works.reduce((all, { quantities }) => all + (quantities[bucket] ?? 0), 0)
  const counts = {
    uncached_input_tokens: sum("input"),
    cache_read_input_tokens: sum("cache_read"),
    output_tokens: sum("output"),
  }
  const written = {
    ephemeral_5m_input_tokens: sum("cache_write"),
    ephemeral_1h_input_tokens: sum("cache_write_1h"),
  }
  return {
    ...counts,
    cache_creation: written,
    server_tool_use: { web_search_requests: sum("tool") },
    requests: works.reduce((all, { requests }) => all + requests, 0),
    total_tokens: [...Object.values(counts), ...Object.values(written)].reduce((a, b) => a + b, 0),
  }
}

/** Writes amounts as Anthropic does, in cents. */
function toAmounts(group: readonly Entry[]) {
  const cents = (of: (entry: Entry) => Decimal) =>
    formatDecimal(
      multiply(
        group.reduce((sum, entry) => sum + of(entry), 0n),
        fromNumber(100),
      ),
    )
  return {
    amount: cents(({ cost }) => cost),
    list_amount: cents(({ listCost }) => listCost),
    currency: "USD",
    requests: null,
  }
}

function rangeOf(query: URLSearchParams, now: number): { readonly start: number; readonly end: number } {
  const start = timeOf(query, "starting_at")
  if (query.has("time_bucket_width") && !query.has("ending_at")) {
    throw new BadRequest("ending_at: required when time_bucket_width is set")
  }
  const end = query.has("ending_at") ? timeOf(query, "ending_at") : Math.min(now, start + 31 * DAY_MS)
  if (end - start > 31 * DAY_MS) throw new BadRequest("ending_at: the range may span at most 31 days")
  if (end > now) throw new BadRequest("ending_at: must not be in the future")
  return { start, end }
}

function timeOf(query: URLSearchParams, name: string): number {
  const time = Date.parse(query.get(name) ?? "")
  if (Number.isNaN(time)) throw new BadRequest(`${name}: expected an RFC 3339 time`)
  return time
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z")
}
