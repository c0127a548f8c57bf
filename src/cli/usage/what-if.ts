import { outlook } from "../../api/routes/outlook.ts"
import type { WhatIf } from "../../operations/reprice/what-if.ts"
import { call, REMOTE } from "../_call.ts"
import { checkFormat, defineCommand, JSON_OPTION } from "../_command.ts"
import { toCsv } from "../_csv.ts"
import { alignPoints, EXACT_OPTION, toDollars } from "../_money.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { renderTable, toCounts } from "../_table.ts"
import { withThousands } from "../_text.ts"
import { printNotes } from "./_notes.ts"
import { FILTER_OPTIONS, toChoice } from "./_options.ts"
import { toPeriodLine } from "./_period.ts"

const { status: _status, billing: _billing, source: _source, ...FILTERS } = FILTER_OPTIONS
const FIELDS = ["provider", "model", "requests", "total_cost", "what_if_cost", "difference", "estimated"] as const

export default defineCommand({
  meta: {
    name: "what-if",
    description: "what the same tokens would have cost with another model (default: of the last 30 days)",
  },
  args: {
    ...FILTERS,
    model: {
      type: "string",
      valueHint: "USED=OTHER",
      required: true,
      description: "the model that was used (gpt-4* means all that begin with gpt-4), and the other one",
    },
    "to-provider": { type: "string", valueHint: "NAME", description: "the other model's provider, if it is another" },
    prices: { type: "string", valueHint: "WHEN", description: "then or now: the other model's prices (default: then)" },
    ...EXACT_OPTION,
    ...JSON_OPTION,
    csv: { type: "boolean", description: "print comma-separated values" },
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway usage what-if --model gpt-5=gpt-5-mini --month last-month",
    "majordomo-gateway usage what-if --model gpt-4o*=claude-haiku-4-5 --to-provider anthropic --where Team=search",
  ],
  async run({ args, rawArgs }) {
    checkFormat(args)
    const { status: _status, billing: _billing, source: _source, ...choice } = toChoice(args, rawArgs)
    const prices = args.prices as "then" | "now" | undefined
    const input = { ...choice, model: args.model, to_provider: args["to-provider"], prices }
    const found = await call(args, outlook.whatIf, input)
    printNotes(found.notes)
    if (args.json) printJson(found)
    else if (args.csv) {
      print(
        toCsv(
          FIELDS,
          found.rows.map((row) => FIELDS.map((name) => row[name])),
        ),
      )
    } else print(toPeriodLine(found) + renderWhatIf(found, findScreen()))
  },
})

function renderWhatIf({ rows, total, to, not_priced: missing }: WhatIf, screen: Screen): string {
  const all = [...rows, total]
  const money = (title: string, name: "total_cost" | "what_if_cost" | "difference") => {
    const cells = alignPoints(all.map((row) => toDollars(row[name])))
    return { title, align: "right", cells: cells.slice(0, -1), total: cells.at(-1)! } as const
  }
  const counts = toCounts(all.map(({ requests }) => requests))
  const table = renderTable(
    [
      { title: "Model", align: "left", cells: rows.map(({ model }) => model), total: "Total", shrinks: true },
      { title: "Provider", align: "left", cells: rows.map(({ provider }) => provider), total: "", hideRank: 1 },
      { title: "Requests", align: "right", cells: counts.slice(0, -1), total: counts.at(-1)! },
      money("Cost", "total_cost"),
      money(`With ${to}`, "what_if_cost"),
      money("Difference", "difference"),
    ],
    screen,
  )
  const notes = [
    ...(total.estimated > 0 ? [`~ ${withThousands(total.estimated)} requests estimated.`] : []),
    ...missing.map(
      ({ model, provider, requests, reason }) =>
        `Not in these sums: ${withThousands(requests)} requests to ${model || "(no model)"} of ${provider}: ${reason}.`,
    ),
  ]
  return table + notes.map((note) => `${note}\n`).join("")
}
