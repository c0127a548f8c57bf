import { CommandError } from "../../core/errors.ts"
import { explainEmpty } from "../../operations/usage/empty.ts"
import {
  type ErrorQuestion,
  type ErrorReport,
  type ErrorRow,
  reportErrors,
  toErrorObject,
  toErrorsObject,
} from "../../operations/usage/errors.ts"
import { parseDimensions } from "../../operations/usage/question.ts"
import { parseWhole } from "../_args.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { toCsv } from "../_csv.ts"
import { withDatabase } from "../_open.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { type Column, renderTable, toCounts } from "../_table.ts"
import { toMoment, withThousands } from "../_text.ts"
import { toLabelColumns } from "./_breakdown.ts"
import { renderEmpty } from "./_empty.ts"
import { printNotes } from "./_notes.ts"
import { BY_OPTION, FILTER_OPTIONS, toFilters, toPeriod } from "./_options.ts"
import { notePendingRows } from "./_pending-rows.ts"
import { toPercent } from "./_percent.ts"

export default defineCommand({
  meta: { name: "errors", description: "the rate of errors, and what they say (default: the last 30 days)" },
  args: {
    ...BY_OPTION,
    ...FILTER_OPTIONS,
    limit: { type: "string", valueHint: "N", description: "at most N kinds of errors (default 50)" },
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print the kinds of errors as comma-separated values" },
    ...COMMON,
  },
  examples: [
    "majordomo-gateway usage errors --since today",
    "majordomo-gateway usage errors --by model --status 429",
    "majordomo-gateway usage errors --by day --json | jq '.rates'",
  ],
  async run({ args, rawArgs }) {
    if (args.json && args.csv) throw new CommandError("--json or --csv, not both", 2)
    const now = Date.now()
    const question: ErrorQuestion = {
      by: parseDimensions(args.by),
      period: toPeriod(args, now, "30d"),
      filters: toFilters(args, rawArgs),
      limit: parseWhole("limit", args.limit, { min: 1, max: 1_000_000 }) ?? 50,
    }
    await withDatabase(args.config, async (context) => {
      const pendingRows = await notePendingRows(context)
      const report = await reportErrors(context, question)
      printNotes(report.notes)
      if (args.json) printJson(toErrorsObject(report, { question, now, pendingRows }))
      else if (args.csv) print(renderCsv(question, report))
      else if (report.rates.total.requests > 0) print(renderErrors(question, report, findScreen()))
      else {
        const reason = await explainEmpty({ ...context, now: () => now }, question.period)
        print(renderEmpty(reason, question.period, context.settings))
      }
    })
  },
})

/** Renders the rate of errors of each group and in total, and below it the kinds of errors. */
function renderErrors({ by, period }: ErrorQuestion, { rows, rates, groups }: ErrorReport, screen: Screen): string {
  const { total } = rates
  const all = [...rates.rows, total]
  const column = (title: string, cells: readonly string[]): Column => {
    return { title, align: "right", cells: cells.slice(0, -1), total: cells.at(-1)! }
  }
  const rateTable = renderTable(
    [
      ...toLabelColumns(by, rates.rows, "Total"),
      column("Requests", toCounts(all.map(({ requests }) => requests))),
      column("Errors", toCounts(all.map(({ errors }) => errors))),
      column("Rate", all.map(toPercent)),
    ],
    screen,
  )
  const { errors, requests } = total
  const sentence = `${withThousands(errors)} of ${withThousands(requests)} requests (${toPercent(total)}) ended with an error.\n`
  const kinds = rows.length === 0 ? [] : [renderKinds(by, rows, period.tz, screen)]
  const hidden = groups - rows.length
  const more =
    hidden > 0
      ? `And ${withThousands(hidden)} more ${hidden === 1 ? "kind" : "kinds"} of errors: --limit shows them.\n`
      : ""
  return [by.length === 0 ? sentence : rateTable, ...kinds].join("\n") + more
}

function renderKinds(by: ErrorQuestion["by"], rows: readonly ErrorRow[], tz: string, screen: Screen): string {
  const text = (title: string, pick: (row: ErrorRow) => string, more: Partial<Column> = {}): Column => {
    return { title, align: "left", cells: rows.map(pick), ...more }
  }
  return renderTable(
    [
      ...toLabelColumns(by, rows),
      text("Status", ({ status_code }) => String(status_code)),
      text("Outcome", ({ outcome }) => outcome.replace("_", " "), { hideRank: 2 }),
      { title: "Requests", align: "right", cells: toCounts(rows.map(({ requests }) => requests)) },
      text("Last", ({ lastAt }) => toMoment(new Date(lastAt), tz), { hideRank: 1 }),
      text("Error", ({ error }) => error ?? "(no message)", { shrinks: true }),
    ],
    screen,
  )
}

/** Renders the fields of the JSON rows as CSV. */
function renderCsv(question: ErrorQuestion, { rows }: ErrorReport): string {
  const dimensions = question.by.flatMap(({ name }) => (name === "key" ? [name, "key_id"] : [name]))
  const fields = [...dimensions, "status_code", "outcome", "error", "requests", "last_at"]
  return toCsv(
    fields,
    rows.map((row) => Object.values(toErrorObject(question, row))),
  )
}
