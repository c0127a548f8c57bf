import { outlook } from "../../api/routes/outlook.ts"
import type { Forecast } from "../../operations/usage/forecast.ts"
import { call, REMOTE } from "../_call.ts"
import { checkFormat, defineCommand, JSON_OPTION } from "../_command.ts"
import { toCsv } from "../_csv.ts"
import { EXACT_OPTION, toDollars } from "../_money.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { wrap } from "../_text.ts"
import { WATCH_OPTION } from "../_watch.ts"
import { printNotes } from "./_notes.ts"
import { FILTER_OPTIONS, toChoice } from "./_options.ts"
import { toPeriodLine } from "./_period.ts"

const { since: _since, until: _until, period: _period, month: _month, ...FILTERS } = FILTER_OPTIONS
const FIELDS = ["since", "until", "tz", "to_date", "unpriced", "forecast", "low", "high", "weeks"] as const

export default defineCommand({
  meta: { name: "forecast", description: "what the month will have cost at its end, by the pattern of the last weeks" },
  args: {
    ...FILTERS,
    month: { type: "string", valueHint: "MONTH", description: "this month or a later one (default: this-month)" },
    ...EXACT_OPTION,
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print comma-separated values" },
    ...WATCH_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway usage forecast", "majordomo-gateway usage forecast --where Team=search --json"],
  async run({ args, rawArgs }) {
    checkFormat(args)
    const { since: _since, until: _until, period: _period, ...input } = toChoice(args, rawArgs)
    const found = await call(args, outlook.forecast, input)
    printNotes(found.notes)
    if (args.json) printJson(found)
    else if (args.csv) {
      print(
        toCsv(
          FIELDS,
          [found].map((each) => FIELDS.map((name) => each[name])),
        ),
      )
    } else print(toPeriodLine(found) + renderForecast(found, findScreen()))
  },
})

export function renderForecast({ to_date, unpriced, forecast, low, high }: Forecast, screen: Screen): string {
  const lines = [`So far      ${to_date === null ? "unpriced" : `${unpriced > 0 ? ">" : ""}${toDollars(to_date)}`}`]
  if (forecast === null) return `${lines[0]}\n`
  const range = wrap(
    `about ${toDollars(forecast)}, from ${toDollars(low!)} to ${toDollars(high!)}`,
    screen.width && screen.width - 12,
  )
  lines.push(...range.map((line, i) => `${i === 0 ? "At its end  " : " ".repeat(12)}${line}`))
  return `${lines.join("\n")}\n`
}
