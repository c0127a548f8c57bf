import { CommandError } from "../../core/errors.ts"
import { readSlowly } from "../../database/slow-read.ts"
import { askRuns, RUN_FIELDS, RUN_NAMES, RUN_SORTS, type Run, type RunSort, readRun } from "../../reports/index.ts"
import { parseWhole } from "../_args.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { toCsv } from "../_csv.ts"
import { alignPoints } from "../_money.ts"
import { withDatabase } from "../_open.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { type Column, renderTable, toCounts } from "../_table.ts"
import { toMoment } from "../_text.ts"
import { createAsker, sayIfNotIndexed } from "./_ask.ts"
import { toCostCell } from "./_breakdown.ts"
import { FILTER_OPTIONS, toFilters, toPeriod } from "./_question.ts"

export default defineCommand({
  meta: {
    name: "runs",
    description: "agent runs: the requests that carried one X-Majordomo-Trace-Id (default: of the last 7 days)",
  },
  args: {
    ...FILTER_OPTIONS,
    sort: { type: "string", valueHint: "ORDER", description: `${RUN_SORTS.join(", ")} (default: time)` },
    limit: { type: "string", valueHint: "N", description: "at most so many (default 20)" },
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print comma-separated values" },
    ...COMMON,
  },
  examples: ["majordomo-gateway usage runs", "majordomo-gateway usage runs --since today --sort cost --limit 5"],
  async run({ args, rawArgs }) {
    if (args.json && args.csv) throw new CommandError("--json or --csv, not both", 2)
    const period = toPeriod(args, Date.now(), "7d")
    const limit = parseWhole("limit", args.limit, { min: 1, max: 1_000_000 }) ?? 20
    const question = { filters: toFilters(args, rawArgs), period, sort: toSort(args.sort), limit }
    await withDatabase(args.config, async (database) => {
      const { ground } = await createAsker(database)
      const { rows } = await readSlowly(database, askRuns(question, ground))
      const runs = rows.map(readRun)
      if (runs.length > 0) sayIfNotIndexed(RUN_NAMES.trace, ground)
      if (args.json) printJson(runs)
      else if (args.csv)
        print(
          toCsv(
            RUN_FIELDS,
            runs.map((run) => RUN_FIELDS.map((field) => run[field])),
          ),
        )
      else print(runs.length === 0 ? NO_RUNS : renderRuns(runs, period.tz, findScreen()))
    })
  },
})

export const NO_RUNS = `No run fits. Requests become one run by a header that they share, and may say where in it they stand:

  X-Majordomo-Trace-Id: 7f3a          one value for the whole run
  X-Majordomo-Span-Path: planner/tool:search
`

export function renderRuns(runs: readonly Run[], tz: string, screen: Screen): string {
  const text = (title: string, pick: (run: Run) => string, more: Partial<Column> = {}): Column => {
    return { title, align: "left", cells: runs.map(pick), ...more }
  }
  const count = (title: string, pick: (run: Run) => number, leaves?: number): Column => {
    return { title, align: "right", cells: toCounts(runs.map(pick)), leaves }
  }
  return renderTable(
    [
      text("Trace", ({ trace }) => trace, { shrinks: true }),
      text("Last", ({ last }) => toMoment(new Date(last), tz)),
      text("First", ({ first }) => toMoment(new Date(first), tz), { leaves: 4 }),
      text("Took", (run) => toDuration(run.duration_ms), { align: "right" }),
      count("Requests", ({ requests }) => requests),
      count("Errors", ({ errors }) => errors, 1),
      count("Input", ({ input_tokens }) => input_tokens, 3),
      count("Output", ({ output_tokens }) => output_tokens, 3),
      { title: "Cost", align: "right", cells: alignPoints(runs.map(toCostCell)) },
    ],
    screen,
  )
}

/** `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 03 min`. */
export function toDuration(ms: number): string {
  if (ms < 1000) return `${ms} ms`
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`
  const two = (n: number) => String(Math.floor(n)).padStart(2, "0")
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${two((ms % 60_000) / 1000)} s`
  return `${Math.floor(ms / 3_600_000)} h ${two((ms % 3_600_000) / 60_000)} min`
}

function toSort(text: string | undefined): RunSort | undefined {
  if (text === undefined) return undefined
  const sort = RUN_SORTS.find((each) => each === text)
  if (sort !== undefined) return sort
  throw new CommandError(`--sort: expected ${RUN_SORTS.join(", ")}, got ${JSON.stringify(text)}`, 2)
}
