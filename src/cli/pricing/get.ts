import { toRateLabel } from "../../core/rates.ts"
import { getPrices, type PriceExplanation, toPriceExplanationObject } from "../../operations/prices/get.ts"
import { listRates, toPriceObject } from "../../operations/prices/rates.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withPrices } from "../_open.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { renderTable } from "../_table.ts"
import { printable, withThousands } from "../_text.ts"
import { MODEL } from "./_model.ts"

export default defineCommand({
  meta: { name: "get", description: "what one model costs, and which source says so" },
  args: {
    ...MODEL,
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: [
    "majordomo-gateway pricing get gpt-4o-mini",
    "majordomo-gateway pricing get grok-4.5 --provider x-ai --json",
  ],
  async run({ args }) {
    await withPrices(args.config, (context) => {
      const prices = getPrices(context, { model: args.model, provider: args.provider })
      if (args.json) printJson(prices.map(toPriceExplanationObject))
      else print(prices.map((price) => renderPrice(price, findScreen())).join("\n"))
    })
  },
})

const HOW = {
  exact: "",
  rule: " (by the catalog's rule for its names)",
  undated: " (without its date: a cost by it is an estimate)",
} as const

function renderPrice(price: PriceExplanation, screen: Screen): string {
  const { provider, asked, how, entry, disagreements, setAside } = price
  const rates = listRates(entry)
  const table = renderTable(
    [
      { title: "Rate", align: "left", cells: rates.map(({ rate }) => rate) },
      { title: "USD", align: "right", cells: rates.map(({ usd }) => usd) },
      { title: "per", align: "left", cells: rates.map(({ per }) => per) },
      { title: "Source", align: "left", cells: rates.map(({ source }) => source) },
      { title: "Date", align: "left", cells: rates.map(({ date }) => date ?? "") },
    ],
    screen,
  )
  const name = asked === entry.model ? entry.model : `${asked}, priced as ${entry.model}${HOW[how]}`
  return [
    printable(`${name} at ${provider}`),
    "",
    table.trimEnd(),
    ...describeLongContext(price),
    ...disagreements.map(({ rate, other, otherFrom }) => `${otherFrom} says ${other} for ${toRateLabel(rate)}`),
    ...setAside.map(({ row, reason }) => `${row.source} was not used: ${reason}`),
    "",
  ].join("\n")
}

function describeLongContext({ provider, entry }: PriceExplanation): string[] {
  return toPriceObject(provider, entry).long_context.map(({ above_tokens: above, usd_per_million: usd }) => {
    const rates = Object.entries(usd).map(([rate, value]) => `${rate} ${value}`)
    return `Over ${withThousands(above)} tokens of input, for the whole request: ${rates.join(", ")}`
  })
}
