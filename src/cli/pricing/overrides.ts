import { priceOverrides } from "../../api/routes/price-overrides.ts"
import type { Override } from "../../operations/prices/override.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, printMessage, type Screen } from "../_print.ts"
import { renderTable } from "../_table.ts"
import { toTime } from "../keys/_keys.ts"
import { describeRates } from "./_overrides.ts"

export default defineCommand({
  meta: { name: "overrides", description: "the prices that were set by pricing set, in USD per million tokens" },
  args: { ...JSON_OPTION, ...REMOTE },
  examples: ["majordomo-gateway pricing overrides"],
  async run({ args }) {
    const all = await call(args, priceOverrides.list, {})
    if (args.json) printJson(all)
    else if (all.length > 0) print(renderOverrides(all, findScreen()))
    else printMessage("No price was set. To set one: majordomo-gateway pricing set MODEL --input USD --output USD")
  },
})

function renderOverrides(all: readonly Override[], screen: Screen): string {
  return renderTable(
    [
      { title: "Model", align: "left", cells: all.map(({ model }) => model), shrinks: true },
      { title: "Provider", align: "left", cells: all.map(({ provider }) => provider ?? "any") },
      { title: "From", align: "left", cells: all.map(({ from }) => from ?? "(start)") },
      { title: "Rates", align: "left", cells: all.map(({ rates }) => describeRates(rates)), shrinks: true },
      { title: "Set", align: "left", cells: all.map(({ set_at: at }) => toTime(at)), hideRank: 2 },
      { title: "By", align: "left", cells: all.map(({ set_by: by }) => by), hideRank: 1, shrinks: true },
    ],
    screen,
  )
}
