import { CommandError } from "../../core/errors.ts"
import { explainEmpty } from "../../operations/usage/empty.ts"
import { toDimensionFields } from "../../operations/usage/json.ts"
import {
  LATENCY_FIELDS,
  LATENCY_SORTS,
  type LatencyReport,
  type LatencyReportQuestion,
  type LatencyRow,
  measureLatency,
  toLatencyObject,
} from "../../operations/usage/latency.ts"
import { parseDimensions, parseSort } from "../../operations/usage/question.ts"
import { parseWhole } from "../_args.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { toCsv } from "../_csv.ts"
import { withDatabase } from "../_open.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { type Column, renderTable, toCounts } from "../_table.ts"
import { withThousands } from "../_text.ts"
import { toLabelColumns } from "./_breakdown.ts"
import { renderEmpty } from "./_empty.ts"
import { printNotes } from "./_notes.ts"
import { BY_OPTION, FILTER_OPTIONS, toFilters, toPeriod } from "./_options.ts"
import { notePendingRows } from "./_pending-rows.ts"
import { toPercent } from "./_percent.ts"

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
    ...COMMON,
  },
  examples: [
    "majordomo-gateway usage latency --by model --since 7d",
    "majordomo-gateway usage latency --by key --sort p95 --limit 10",
    "majordomo-gateway usage latency --by day --json | jq '.rows[].p95_ms'",
  ],
  async run({ args, rawArgs }) {
    if (args.json && args.csv) throw new CommandError("--json or --csv, not both", 2)
    const now = Date.now()
    const question: LatencyReportQuestion = {
      by: parseDimensions(args.by),
      period: toPeriod(args, now, "30d"),
      filters: toFilters(args, rawArgs),
      limit: parseWhole("limit", args.limit, { min: 1, max: 1_000_000 }),
      sort: parseSort(args.sort, LATENCY_SORTS),
    }
    await withDatabase(args.config, async (context) => {
      const pendingRows = await notePendingRows(context)
      const report = await measureLatency(context, question)
      printNotes(report.notes)
      if (args.json) printJson(toLatencyObject(report, { question, now, pendingRows }))
      else if (args.csv) print(renderCsv(question, report))
      else if (report.total.requests > 0) print(renderLatency(question, report, findScreen()))
      else {
        const reason = await explainEmpty({ ...context, now: () => now }, question.period)
        print(renderEmpty(reason, question.period, context.settings))
      }
    })
  },
})

/** Renders one line per group, and a total. */
function renderLatency({ by }: LatencyReportQuestion, report: LatencyReport, screen: Screen): string {
  const { rows, total, groups, approximate } = report
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

/** Renders the fields of the JSON rows as CSV; without a dimension, those of the total. */
function renderCsv({ by }: LatencyReportQuestion, { rows, total }: LatencyReport): string {
  const fields = by.flatMap(({ name }) => (name === "key" ? [name, "key_id"] : [name]))
  const toCells = (row: Omit<LatencyRow, "values" | "keyId">) => LATENCY_FIELDS.map((name) => row[name])
  const lines = rows.map((row) => [...Object.values(toDimensionFields(by, row)), ...toCells(row)])
  return toCsv([...fields, ...LATENCY_FIELDS], by.length === 0 ? [toCells(total)] : lines)
}
