import { prices } from "../../api/routes/prices.ts"
import type { PriceObject } from "../../operations/prices/rates.ts"
import { call, REMOTE } from "../_call.ts"
import { defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { renderTable } from "../_table.ts"

export default defineCommand({
  meta: { name: "list", description: "every model that has a price, in USD per million tokens" },
  args: {
    provider: { type: "string", valueHint: "NAME", description: "only the models of this provider" },
    ...JSON_OPTION,
    ...REMOTE,
  },
  examples: ["majordomo-gateway pricing list --provider openai", "majordomo-gateway pricing list --json"],
  async run({ args }) {
    const models = await call(args, prices.list, { provider: args.provider })
    if (args.json) printJson(models)
    else print(renderModels(models, findScreen()))
  },
})

function renderModels(models: readonly PriceObject[], screen: Screen): string {
  const rate = (name: string) => models.map(({ rates }) => rates[name]?.["usd_per_million"] ?? "")
  const sources = models.map(({ rates }) => rates["input"] ?? Object.values(rates)[0])
  return renderTable(
    [
      { title: "Provider", align: "left", cells: models.map(({ provider }) => provider || "any") },
      { title: "Model", align: "left", cells: models.map(({ model }) => model), shrinks: true },
      { title: "Input", align: "right", cells: rate("input") },
      { title: "Cached", align: "right", cells: rate("cache_read"), hideRank: 1 },
      { title: "Output", align: "right", cells: rate("output") },
      { title: "Source", align: "left", cells: sources.map((each) => each?.["source"] ?? ""), hideRank: 2 },
      { title: "Date", align: "left", cells: sources.map((each) => each?.["date"] ?? ""), hideRank: 3 },
    ],
    screen,
  )
}
