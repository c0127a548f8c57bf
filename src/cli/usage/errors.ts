import { usage } from "../../api/routes/usage.ts"
import type { ErrorsObject } from "../../operations/usage/errors.ts"
import { fromDimensionFields } from "../../operations/usage/json.ts"
import { parseDimensions } from "../../operations/usage/question.ts"
import { call, REMOTE } from "../_call.ts"
import { checkFormat, defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { type Column, renderTable, toCounts } from "../_table.ts"
import { toMoment, toShortMoments, withThousands } from "../_text.ts"
import { WATCH_OPTION } from "../_watch.ts"
import { renderCsv, toLabelColumns } from "./_breakdown.ts"
import { noteUnknownValue, printEmpty } from "./_empty.ts"
import { printNotes } from "./_notes.ts"
import { BY_OPTION, FILTER_OPTIONS, toChoice, toPeriod } from "./_options.ts"
import { toPercent } from "./_percent.ts"
import { toPeriodLine } from "./_period.ts"

export default defineCommand({
  meta: { name: "errors", description: "the rate of errors, and what they say (default: the last 30 days)" },
  args: {
    ...BY_OPTION,
    ...FILTER_OPTIONS,
    limit: { type: "string", valueHint: "N", description: "at most N kinds of errors (default 50)" },
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print the kinds of errors as comma-separated values" },
    ...WATCH_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway usage errors --since today",
    "majordomo-gateway usage errors --by model --status 429",
    "majordomo-gateway usage errors --by day --json | jq '.rates'",
  ],
  async run({ args, rawArgs }) {
    checkFormat(args)
    const period = toPeriod(args, Date.now(), "30d")
    const { by, limit } = args
    const report = await call(args, usage.errors, { ...toChoice(args, rawArgs), by, limit })
    printNotes(report.notes)
    if (args.json || args.csv) noteUnknownValue(report.empty)
    if (args.json) printJson(report)
    else if (args.csv) print(renderCsv(report, ["status_code", "outcome", "error", "requests", "last_at"]))
    else if (report.empty) printEmpty(report.empty, args, period)
    else print(toPeriodLine(report) + renderErrors(report, findScreen()))
  },
})

/** Renders the rate of errors of each group and in total, and below it the kinds of errors. */
function renderErrors(report: ErrorsObject, screen: Screen): string {
  const { rows, rates, total, groups } = report
  const by = parseDimensions(report.by.join(",") || undefined)
  const all = [...rates, total]
  const column = (title: string, cells: readonly string[]): Column => {
    return { title, align: "right", cells: cells.slice(0, -1), total: cells.at(-1)! }
  }
  const rateTable = renderTable(
    [
      ...toLabelColumns(
        by,
        rates.map((row) => fromDimensionFields(report.by, row)),
        "Total",
      ),
      column("Requests", toCounts(all.map(({ requests }) => requests))),
      column("Errors", toCounts(all.map(({ errors }) => errors))),
      column("Rate", all.map(toPercent)),
    ],
    screen,
  )
  const { errors, requests } = total
  const sentence = `${withThousands(errors)} of ${withThousands(requests)} requests (${toPercent(total)}) ended with an error.\n`
  const kinds = rows.length === 0 ? [] : [renderKinds(report, screen)]
  const hidden = groups - rows.length
  const more =
    hidden > 0
      ? `And ${withThousands(hidden)} more ${hidden === 1 ? "kind" : "kinds"} of errors: --limit shows them.\n`
      : ""
  return [by.length === 0 ? sentence : rateTable, ...kinds].join("\n") + more
}

function renderKinds({ by, rows, tz }: ErrorsObject, screen: Screen): string {
  const text = (
    title: string,
    pick: (row: ErrorsObject["rows"][number]) => string,
    more: Partial<Column> = {},
  ): Column => {
    return { title, align: "left", cells: rows.map(pick), ...more }
  }
  const groups = rows.map((row) => fromDimensionFields(by, row))
  const toLast = (row: ErrorsObject["rows"][number]) => toMoment(new Date(row.last_at), tz)
  return renderTable(
    [
      ...toLabelColumns(parseDimensions(by.join(",") || undefined), groups),
      text("Status", ({ status_code }) => String(status_code)),
      text("Outcome", ({ outcome }) => outcome.replace("_", " "), { hideRank: 2 }),
      { title: "Requests", align: "right", cells: toCounts(rows.map(({ requests }) => requests)) },
      text("Last", toLast, { hideRank: 1, short: toShortMoments(rows.map(toLast)) }),
      text("Error", ({ error }) => error ?? "(no message)", { shrinks: true }),
    ],
    screen,
  )
}
