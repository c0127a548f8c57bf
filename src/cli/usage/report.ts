import { CommandError } from "../../core/errors.ts"
import { explainEmpty } from "../../operations/usage/empty.ts"
import { MEASURES, toDimensionFields, toOverviewObject, toReportObject } from "../../operations/usage/json.ts"
import { summarizeUsage } from "../../operations/usage/overview.ts"
import { parseDimensions, parseSort } from "../../operations/usage/question.ts"
import { reportUsage, SORTS, type UsageAnswer, type UsageQuestion } from "../../operations/usage/report.ts"
import { parseWhole } from "../_args.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { toCsv } from "../_csv.ts"
import { withDatabase } from "../_open.ts"
import { findScreen, print, printJson } from "../_print.ts"
import { renderBreakdown } from "./_breakdown.ts"
import { renderEmpty } from "./_empty.ts"
import { printNotes } from "./_notes.ts"
import { BY_OPTION, FILTER_OPTIONS, toFilters, toPeriod } from "./_options.ts"
import { renderOverview } from "./_overview.ts"
import { notePendingRows } from "./_pending-rows.ts"

export default defineCommand({
  meta: { name: "usage", description: "what was used, what it cost, and by whom (default: the last 30 days)" },
  args: {
    ...BY_OPTION,
    ...FILTER_OPTIONS,
    sort: { type: "string", valueHint: "ORDER", description: `${SORTS.join(", ")} (default: cost; for times: time)` },
    limit: { type: "string", valueHint: "N", description: "at most N rows" },
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print comma-separated values" },
    ...COMMON,
  },
  examples: [
    "majordomo-gateway usage",
    "majordomo-gateway usage --by model --since 7d",
    "majordomo-gateway usage --by key,day --since month --csv > november.csv",
    "majordomo-gateway usage --by User-Id --where Feature=chat --limit 10",
    "majordomo-gateway usage --by model --json | jq -r '.total.total_cost'",
  ],
  async run({ args, rawArgs }) {
    if (args.json && args.csv) throw new CommandError("--json or --csv, not both", 2)
    const now = Date.now()
    const question: UsageQuestion = {
      by: parseDimensions(args.by),
      period: toPeriod(args, now, "30d"),
      filters: toFilters(args, rawArgs),
      limit: parseWhole("limit", args.limit, { min: 1, max: 1_000_000 }),
      sort: parseSort(args.sort, SORTS),
    }
    await withDatabase(args.config, async (context) => {
      const format = args.json ? "json" : args.csv ? "csv" : "text"
      const isOverview = question.by.length === 0 && format !== "csv"
      const run = isOverview ? printOverview : printReport
      // Before the report, so that a row that is written in between is counted twice rather than not at all.
      const pendingRows = await notePendingRows(context)
      return run({ ...context, now: () => now, pendingRows }, question, format)
    })
  },
})

type Context = Parameters<Parameters<typeof withDatabase>[1]>[0] & { readonly pendingRows: number }
type OutputFormat = "json" | "csv" | "text"

async function printOverview(context: Context, question: UsageQuestion, format: OutputFormat): Promise<void> {
  const overview = await summarizeUsage(context, question)
  printNotes(overview.notes)
  if (format === "json") printJson(toOverviewObject(overview, { now: context.now(), pendingRows: context.pendingRows }))
  else if (overview.current.total.requests === 0) await printEmpty(context, question)
  else print(renderOverview(overview, findScreen()))
}

async function printReport(context: Context, question: UsageQuestion, format: OutputFormat): Promise<void> {
  const { pendingRows } = context
  const { answer, notes } = await reportUsage(context, question)
  printNotes(notes)
  if (format === "json") printJson(toReportObject({ question, answer, notes, now: context.now(), pendingRows }))
  else if (format === "csv") print(renderCsv(question, answer))
  else if (answer.total.requests === 0) await printEmpty(context, question)
  else print(renderBreakdown(question.by, answer, findScreen()))
}

async function printEmpty(context: Context, { period }: UsageQuestion): Promise<void> {
  print(renderEmpty(await explainEmpty(context, period), period, context.settings))
}

/** Renders the fields of the JSON rows as CSV; without a dimension, those of the total. */
function renderCsv({ by }: UsageQuestion, { rows, total }: UsageAnswer): string {
  const fields = by.flatMap(({ name }) => (name === "key" ? [name, "key_id"] : [name]))
  const lines = rows.map((row) => [...Object.values(toDimensionFields(by, row)), ...MEASURES.map((name) => row[name])])
  const sum = MEASURES.map((name) => total[name])
  return toCsv([...fields, ...MEASURES], by.length === 0 ? [sum] : lines)
}
