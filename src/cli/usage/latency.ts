import { usage } from "../../api/routes/usage.ts"
import { fromLatencyObject, LATENCY_FIELDS, LATENCY_SORTS, type LatencyObject } from "../../operations/usage/latency.ts"
import { parseDimensions } from "../../operations/usage/question.ts"
import { call, REMOTE } from "../_call.ts"
import { checkFormat, defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { type Column, renderTable, toCounts } from "../_table.ts"
import { withThousands } from "../_text.ts"
import { WATCH_OPTION } from "../_watch.ts"
import { renderCsv, toLabelColumns } from "./_breakdown.ts"
import { noteUnknownValue, printEmpty } from "./_empty.ts"
import { printNotes } from "./_notes.ts"
import { BY_OPTION, FILTER_OPTIONS, toChoice, toPeriod } from "./_options.ts"
import { toPercent } from "./_percent.ts"
import { toPeriodLine } from "./_period.ts"

export default defineCommand({
  meta: { name: "latency", description: "how long requests took, as percentiles (default: the last 30 days)" },
  args: {
    ...BY_OPTION,
    ...FILTER_OPTIONS,
    sort: {
      type: "string",
      valueHint: "ORDER",
      description: `${LATENCY_SORTS.join(", ")} (default: requests; for times: time)`,
    },
    limit: { type: "string", valueHint: "N", description: "at most N rows" },
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print comma-separated values" },
    ...WATCH_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway usage latency --by model --since 7d",
    "majordomo-gateway usage latency --by key --sort p95 --limit 10",
    "majordomo-gateway usage latency --by day --json | jq '.rows[].p95_ms'",
  ],
  async run({ args, rawArgs }) {
    checkFormat(args)
    const period = toPeriod(args, Date.now(), "30d")
    const { by, sort, limit } = args
    const report = await call(args, usage.latency, { ...toChoice(args, rawArgs), by, sort, limit })
    printNotes(report.notes)
    if (args.json || args.csv) noteUnknownValue(report.empty)
    if (args.json) printJson(report)
    else if (args.csv) print(renderCsv(report, LATENCY_FIELDS))
    else if (report.empty) printEmpty(report.empty, args, period)
    else print(toPeriodLine(report) + renderLatency(report, findScreen()))
  },
})

/** Renders one line per group, and a total. */
function renderLatency(report: LatencyObject, screen: Screen): string {
  const { rows, total, groups, approximate } = fromLatencyObject(report)
  const by = parseDimensions(report.by.join(",") || undefined)
  const all = [...rows, total]
  const column = (title: string, cells: readonly string[], hideRank?: number): Column => {
    return { title, align: "right", cells: cells.slice(0, -1), total: cells.at(-1)!, hideRank }
  }
  const percentile = (title: string, name: "p50_ms" | "p95_ms" | "p99_ms") =>
    column(
      title,
      all.map((row) => (row[name] === null ? "-" : `${withThousands(row[name])} ms`)),
    )
  const table = renderTable(
    [
      ...toLabelColumns(by, rows, "Total"),
      column("Requests", toCounts(all.map(({ requests }) => requests)), 1),
      column("Errors", all.map(toPercent), 2),
      percentile("p50", "p50_ms"),
      percentile("p95", "p95_ms"),
      percentile("p99", "p99_ms"),
    ],
    screen,
  )
  const hidden = groups - rows.length
  const more =
    hidden > 0 ? `And ${withThousands(hidden)} more ${hidden === 1 ? "row" : "rows"}; the total counts them all.\n` : ""
  return `${table}${more}${approximate ? "The percentiles are at most 5 % above or below the exact ones.\n" : ""}`
}
