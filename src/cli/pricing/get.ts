import type { OutputOf } from "../../api/_route.ts"
import { prices } from "../../api/routes/prices.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { renderTable } from "../_table.ts"
import { printable, withThousands } from "../_text.ts"
import { MODEL } from "./_model.ts"

type Price = OutputOf<typeof prices.get>[number]

export default defineCommand({
  meta: { name: "get", description: "what one model costs, and which source says so" },
  args: {
    ...MODEL,
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: [
    "majordomo-gateway pricing get gpt-4o-mini",
    "majordomo-gateway pricing get grok-4.5 --provider x-ai --json",
  ],
  async run({ args }) {
    const found = await call(args, prices.get, { model: args.model, provider: args.provider })
    if (args.json) printJson(found)
    else print(found.map((price) => renderPrice(price, findScreen())).join("\n"))
  },
})

const HOW = {
  exact: "",
  rule: " (by the catalog's rule for its names)",
  undated: " (without its date: a cost by it is an estimate)",
} as const

function renderPrice(price: Price, screen: Screen): string {
  const { provider, asked, matched, model, disagreements, not_used: notUsed } = price
  const rates = Object.entries(price.rates)
  const table = renderTable(
    [
      { title: "Rate", align: "left", cells: rates.map(([rate]) => rate) },
      {
        title: "USD",
        align: "right",
        cells: rates.map(([, { usd_each: each, usd_per_million: perMillion }]) => each ?? perMillion ?? ""),
      },
      { title: "per", align: "left", cells: rates.map(([, rate]) => (rate["usd_each"] ? "piece" : "million tokens")) },
      { title: "Source", align: "left", cells: rates.map(([, { source }]) => source ?? "") },
      { title: "Date", align: "left", cells: rates.map(([, { date }]) => date ?? ""), hideRank: 1 },
    ],
    screen,
  )
  const name = asked === model ? model : `${asked}, priced as ${model}${HOW[matched]}`
  return [
    printable(`${name} at ${provider}`),
    "",
    table.trimEnd(),
    ...price.long_context.map(describeLongContext),
    ...disagreements.map(({ rate, other, other_from: from }) => `${from} says ${other} for ${rate}`),
    ...notUsed.map(({ source, reason }) => `${source} was not used: ${reason}`),
    "",
  ].join("\n")
}

function describeLongContext({ above_tokens: above, usd_per_million: usd }: Price["long_context"][number]): string {
  const rates = Object.entries(usd).map(([rate, value]) => `${rate} ${value}`)
  return `Over ${withThousands(above)} tokens of input, for the whole request: ${rates.join(", ")}`
}
