import { usage } from "../../api/routes/usage.ts"
import {
  BEFORE_MEASURES,
  fromOverviewObject,
  fromReportObject,
  MEASURES,
  type OverviewObject,
  type ReportObject,
} from "../../operations/usage/json.ts"
import { COMPARISONS, parseDimensions } from "../../operations/usage/question.ts"
import { SORTS } from "../../operations/usage/report.ts"
import { call, REMOTE } from "../_call.ts"
import { checkFormat, defineCommand, JSON_OPTION } from "../_command.ts"
import { EXACT_OPTION } from "../_money.ts"
import { findScreen, print, printJson } from "../_print.ts"
import { WATCH_OPTION } from "../_watch.ts"
import { renderBreakdown, renderCsv } from "./_breakdown.ts"
import { noteUnknownValue, printEmpty } from "./_empty.ts"
import { printNotes } from "./_notes.ts"
import { BY_OPTION, FILTER_OPTIONS, toChoice, toPeriod } from "./_options.ts"
import { renderOverview } from "./_overview.ts"
import { toPeriodLine } from "./_period.ts"

export default defineCommand({
  meta: { name: "usage", description: "what was used, what it cost, and by whom (default: the last 30 days)" },
  args: {
    ...BY_OPTION,
    ...FILTER_OPTIONS,
    compare: { type: "string", valueHint: "PERIOD", description: `compare with ${COMPARISONS}` },
    sort: { type: "string", valueHint: "ORDER", description: `${SORTS.join(", ")} (default: cost; for times: time)` },
    limit: { type: "string", valueHint: "N", description: "at most N rows" },
    ...EXACT_OPTION,
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print comma-separated values" },
    ...WATCH_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway usage",
    "majordomo-gateway usage --by model --since 7d",
    "majordomo-gateway usage --by key,day --since month --csv > november.csv",
    "majordomo-gateway usage --by model --month 2026-10 --compare previous",
    "majordomo-gateway usage --by User-Id --where Feature=chat --limit 10",
    "majordomo-gateway usage --by model --json | jq -r '.total.total_cost'",
  ],
  async run({ args, rawArgs }) {
    checkFormat(args)
    // Before anything is opened: the text of an empty report needs it.
    const period = toPeriod(args, Date.now(), "30d")
    const { by, sort, limit, compare } = args
    const input = { ...toChoice(args, rawArgs), sort, limit, compare }
    const isOverview = by === undefined && !args.csv
    const report = isOverview
      ? await call(args, usage.overview, input)
      : await call(args, usage.report, { by, ...input })
    printNotes(report.notes)
    if (args.json || args.csv) noteUnknownValue(report.empty)
    if (args.json) printJson(report)
    else if (args.csv) print(renderCsv(report, [...MEASURES, ...(report.compared_with ? BEFORE_MEASURES : [])]))
    else if (report.empty) printEmpty(report.empty, args, period)
    else print(toPeriodLine(report) + render(report))
  },
})

function render(report: ReportObject | OverviewObject): string {
  if ("before" in report) return renderOverview(fromOverviewObject(report), findScreen())
  return renderBreakdown(parseDimensions(report.by.join(",")), fromReportObject(report), findScreen(), report)
}
