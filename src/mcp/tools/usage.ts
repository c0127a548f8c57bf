import { usage } from "../../api/routes/usage.ts"
import { defineTool } from "../_tool.ts"
import { limitedBy } from "../paging.ts"
import { count, listed, quote, sumUp } from "../words.ts"

const ROWS = { noun: "rows", initial: 25, max: 200, read: limitedBy("rows") }
const MONEY =
  "Costs are USD as exact decimal text; null means that no price is known, never zero. A cost does not include requests that a subscription pays for: see subscription_value."
const PERIOD = "The period is the last 30 days unless since, period or month says otherwise."

type Report = Parameters<Parameters<typeof defineTool<typeof usage.report>>[0]["summarize"]>[0]

function summarizeGroups(report: Report): string {
  const { rows, by, groups, next } = report
  const [first] = rows
  const most = first === undefined ? "" : ` The first group is ${by.map((name) => quote(first[name])).join(", ")}.`
  return `${sumUp(report.total, report)} ${count(groups, "group")}, in this answer ${listed(rows, "row", next)}${most}`
}

/** Defines a tool that divides the usage by one dimension. */
function defineBreakdown(name: string, title: string, by: string, what: string) {
  return defineTool({
    name,
    title,
    description: `What requests used and cost ${what}, the most expensive first, with the share of each group in the total. ${PERIOD} ${MONEY} For a course over time or two dimensions, use usage_report.`,
    route: usage.report,
    fixed: { by },
    paging: ROWS,
    summarize: summarizeGroups,
  })
}

/** The questions about usage: what was used and what it cost, how long requests took, and which failed. */
export const usageTools = [
  defineTool({
    name: "usage_summary",
    title: "Usage summary",
    description: `The total of a period: requests, errors, tokens and cost, and how many requests have an exact, an estimated or no known price. With compare (such as previous, or 2026-09), also the numbers of another period. Use it for "what did we spend", with a filter also of one model, API key, user or feature. ${PERIOD} ${MONEY}`,
    route: usage.report,
    fixed: { by: undefined, sort: undefined, limit: undefined },
    summarize(report) {
      const { total, compared_with: before } = report
      if (before === undefined) return sumUp(report.total, report)
      const earlier = total.total_cost_before == null ? "an unknown cost" : `$${total.total_cost_before}`
      return `${sumUp(report.total, report)} Before, from ${before.since} to ${before.until}: ${count(total.requests_before ?? 0, "request")}, ${earlier}.`
    },
  }),
  defineTool({
    name: "usage_report",
    title: "Usage by any dimensions",
    description: `What requests used and cost by one or two dimensions, such as by=day for a course over time, by=key,model, or by=Feature for a metadata name. ${PERIOD} Groups by time are in their order, others by cost. ${MONEY}`,
    route: usage.report,
    paging: ROWS,
    summarize: summarizeGroups,
  }),
  defineBreakdown("usage_by_model", "Usage by model", "provider,model", "by provider and model"),
  defineBreakdown("usage_by_provider", "Usage by provider", "provider", "by provider"),
  defineBreakdown("usage_by_api_key", "Usage by API key", "key", "by API key of the gateway"),
  defineTool({
    name: "usage_by_metadata",
    title: "Usage by metadata",
    description: `What requests used and cost by the values of one metadata name, such as User-Id, Feature or Team: who spent it, and on what. list_metadata_keys lists the names. The group with the value null has the requests without the name. ${PERIOD} ${MONEY}`,
    route: usage.report,
    renamed: {
      by: { name: "name", description: "the metadata name whose values are the groups, such as Feature or User-Id" },
    },
    paging: ROWS,
    summarize: summarizeGroups,
  }),
  defineTool({
    name: "latency_stats",
    title: "Latency",
    description: `How long complete answers took, as percentiles (p50, p95, p99) in milliseconds, in total and with by for each group, such as by=model or by=day. ${PERIOD}`,
    route: usage.latency,
    paging: ROWS,
    summarize({ total, rows, next }) {
      const ms = (value: number | null) => (value === null ? "not known" : `${value} ms`)
      return `${count(total.measured, "complete answer")}: p50 ${ms(total.p50_ms)}, p95 ${ms(total.p95_ms)}, p99 ${ms(total.p99_ms)}. ${listed(rows, "row", next)}`
    },
  }),
  defineTool({
    name: "error_summary",
    title: "Errors",
    description: `Which share of the requests failed, and what the errors say: one row for each status, outcome and message, those that happened most often first. With by, such as by=model or by=day, rates has the share of each group. An answer that was interrupted is an error too. ${PERIOD} For single requests that failed, use recent_errors.`,
    route: usage.errors,
    paging: { ...ROWS, read: limitedBy("rows", "rates") },
    summarize({ total, rows, next }) {
      const percent = (100 * total.error_rate).toFixed(2)
      return `${total.errors.toLocaleString("en-US")} of ${count(total.requests, "request")} failed (${percent} %). ${listed(rows, "kind", next)}`
    },
  }),
]
