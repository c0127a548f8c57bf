import { CommandError } from "../../core/errors.ts"
import { SORTS, type Sort, type UsageAnswer, type UsageQuestion } from "../../reports/index.ts"
import { parseWhole } from "../_args.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { toCsv } from "../_csv.ts"
import { withDatabase } from "../_open.ts"
import { findScreen, print, printJson, say } from "../_print.ts"
import { createAsker, listNotes } from "./_ask.ts"
import { renderBreakdown } from "./_breakdown.ts"
import { explainEmpty, refuseUnknownName } from "./_empty.ts"
import { MEASURES, toDimensionFields, toMeasureObject, toQuestionObject, toRowObjects } from "./_json.ts"
import { readOverview, renderOverview, toOverviewObject } from "./_overview.ts"
import { FILTER_OPTIONS, toDimensions, toFilters, toPeriod } from "./_question.ts"

export default defineCommand({
  meta: { name: "usage", description: "what was used, what it cost, and by whom (default: the last 30 days)" },
  args: {
    by: {
      type: "string",
      valueHint: "DIM[,DIM]",
      description: "model, provider, key, hour, day, week, month, status, outcome, or a metadata name such as User-Id",
    },
    ...FILTER_OPTIONS,
    sort: { type: "string", valueHint: "ORDER", description: `${SORTS.join(", ")} (default: cost; for times: time)` },
    limit: { type: "string", valueHint: "N", description: "at most so many rows" },
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
    const by = toDimensions(args.by)
    const period = toPeriod(args, now, "30d")
    const filters = toFilters(args, rawArgs)
    const limit = parseWhole("limit", args.limit, { min: 1, max: 1_000_000 })
    const question: UsageQuestion = { by, period, filters, sort: toSort(args.sort), limit }
    await withDatabase(args.config, async (database, settings) => {
      const head = toQuestionObject(by, period, filters, now)
      const { ask, ground } = await createAsker(database)
      if (by.length === 0 && !args.csv) {
        const overview = await readOverview(question, now, ask)
        const notes = listNotes(question, overview.current, ground)
        sayNotes(notes)
        if (args.json) printJson({ ...head, ...toOverviewObject(overview), ...toNotesField(notes) })
        else if (overview.current.total.requests === 0) print(await explainEmpty(database, settings, period, now))
        else print(renderOverview(overview, findScreen()))
        return
      }
      const answer = await ask(question)
      await refuseUnknownName(database, by, answer)
      const notes = listNotes(question, answer, ground)
      sayNotes(notes)
      if (args.json) {
        const found = { rows: toRowObjects(by, answer), total: toMeasureObject(answer.total) }
        printJson({ ...head, ...found, ...toNotesField(notes) })
      } else if (args.csv) print(renderCsv(question, answer))
      else if (answer.total.requests === 0) print(await explainEmpty(database, settings, period, now))
      else print(renderBreakdown(by, answer, findScreen()))
    })
  },
})

function sayNotes(notes: readonly string[]): void {
  for (const note of notes) say(`note: ${note}`)
}

/** Most reports have none, and then not the field either. */
function toNotesField(notes: readonly string[]): { readonly notes?: readonly string[] } {
  return notes.length === 0 ? {} : { notes }
}

/** The same fields as JSON; without a dimension, the total. */
function renderCsv({ by }: UsageQuestion, { rows, total }: UsageAnswer): string {
  const fields = by.flatMap(({ name }) => (name === "key" ? [name, "key_id"] : [name]))
  const lines = rows.map((row) => [...Object.values(toDimensionFields(by, row)), ...MEASURES.map((name) => row[name])])
  const sum = MEASURES.map((name) => total[name])
  return toCsv([...fields, ...MEASURES], by.length === 0 ? [sum] : lines)
}

function toSort(text: string | undefined): Sort | undefined {
  if (text === undefined) return undefined
  const sort = SORTS.find((each) => each === text)
  if (sort !== undefined) return sort
  throw new CommandError(`--sort: expected ${SORTS.join(", ")}, got ${JSON.stringify(text)}`, 2)
}
