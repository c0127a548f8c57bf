import { runs } from "../../api/routes/runs.ts"
import { RUN_FIELDS, RUN_SORTS, type Run } from "../../operations/runs/list.ts"
import { call, REMOTE } from "../_call.ts"
import { checkFormat, defineCommand, JSON_OPTION } from "../_command.ts"
import { toCsv } from "../_csv.ts"
import { alignPoints, EXACT_OPTION } from "../_money.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { type Column, renderTable, toCounts } from "../_table.ts"
import { toMoment, toShortMoments, wrapProse } from "../_text.ts"
import { WATCH_OPTION } from "../_watch.ts"
import { toCostCell, toValueColumns } from "./_breakdown.ts"
import { FILTER_OPTIONS, toChoice, toPeriod } from "./_options.ts"
import { toAskedPeriodLine } from "./_period.ts"

export default defineCommand({
  meta: {
    name: "runs",
    description: "agent runs: the requests of one trace, or of one session (default: of the last 7 days)",
  },
  args: {
    ...FILTER_OPTIONS,
    sort: { type: "string", valueHint: "ORDER", description: `${RUN_SORTS.join(", ")} (default: time)` },
    limit: { type: "string", valueHint: "N", description: "at most so many (default 20)" },
    ...EXACT_OPTION,
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print comma-separated values" },
    ...WATCH_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway usage runs", "majordomo-gateway usage runs --since today --sort cost --limit 5"],
  async run({ args, rawArgs }) {
    checkFormat(args)
    const period = toPeriod(args, Date.now(), "7d")
    const { sort, limit } = args
    const found = await call(args, runs.list, { ...toChoice(args, rawArgs), sort, limit })
    if (args.json) printJson(found)
    else if (args.csv) print(renderCsv(found))
    else if (found.length === 0) print(wrapProse(NO_RUNS, findScreen().width))
    else print(toAskedPeriodLine(period) + renderRuns(found, period.tz, findScreen()))
  },
})

const NO_RUNS = `No run matches. Requests with the same trace or session are one run.
Traced programs (traceparent) and many agents name theirs; any other program can send it.
A span path says where in the run a request belongs:

  X-Majordomo-Trace-Id: 7f3a          one value for the whole run
  X-Majordomo-Span-Path: planner/tool:search
`

function renderCsv(runs: readonly Run[]): string {
  const lines = runs.map((run) => RUN_FIELDS.map((field) => run[field]))
  return toCsv(RUN_FIELDS, lines)
}

export function renderRuns(runs: readonly Run[], tz: string, screen: Screen): string {
  const text = (title: string, pick: (run: Run) => string, more: Partial<Column> = {}): Column => {
    return { title, align: "left", cells: runs.map(pick), ...more }
  }
  const moment = (title: string, pick: (run: Run) => string, more: Partial<Column> = {}): Column => {
    const cells = runs.map((run) => toMoment(new Date(pick(run)), tz))
    return { title, align: "left", cells, short: toShortMoments(cells), ...more }
  }
  const count = (title: string, pick: (run: Run) => number, hideRank?: number): Column => {
    return { title, align: "right", cells: toCounts(runs.map(pick)), hideRank }
  }
  return renderTable(
    [
      text("Trace", ({ trace }) => trace, { shrinks: true }),
      moment("Last", ({ last }) => last),
      moment("First", ({ first }) => first, { hideRank: 4 }),
      text("Took", (run) => toDuration(run.duration_ms), { align: "right", hideRank: 0 }),
      count("Requests", ({ requests }) => requests),
      count("Errors", ({ errors }) => errors, 1),
      count("Input", ({ input_tokens }) => input_tokens, 3),
      count("Output", ({ output_tokens }) => output_tokens, 3),
      { title: "Cost", align: "right", cells: alignPoints(runs.map(toCostCell)) },
      ...toValueColumns(runs),
    ],
    screen,
  )
}

/** Renders a duration: `850 ms`, `12.3 s`, `4 min 05 s`, `2 h 03 min`. */
export function toDuration(ms: number): string {
  if (ms < 1000) return `${ms} ms`
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`
  const two = (n: number) => String(Math.floor(n)).padStart(2, "0")
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${two((ms % 60_000) / 1000)} s`
  return `${Math.floor(ms / 3_600_000)} h ${two((ms % 3_600_000) / 60_000)} min`
}
