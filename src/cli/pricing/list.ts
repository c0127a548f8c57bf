import { listPrices, type PricedModel } from "../../operations/prices/list.ts"
import { toPriceObject } from "../../operations/prices/rates.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { withPrices } from "../_open.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { renderTable } from "../_table.ts"

export default defineCommand({
  meta: { name: "list", description: "every model that has a price, in USD per million tokens" },
  args: {
    provider: { type: "string", valueHint: "NAME", description: "only the models of this provider" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: ["majordomo-gateway pricing list --provider openai", "majordomo-gateway pricing list --json"],
  async run({ args }) {
    await withPrices(args.config, (context) => {
      const models = listPrices(context, { provider: args.provider })
      if (args.json) printJson(models.map(({ provider, entry }) => toPriceObject(provider, entry)))
      else print(renderModels(models, findScreen()))
    })
  },
})

function renderModels(models: readonly PricedModel[], screen: Screen): string {
  const rate = (name: "input" | "cacheRead" | "output") =>
    models.map(({ entry }) => (entry.sources[name]?.source === "derived" ? "" : (entry.base[name] ?? "")))
  return renderTable(
    [
      { title: "Provider", align: "left", cells: models.map(({ provider }) => provider || "any") },
      { title: "Model", align: "left", cells: models.map(({ model }) => model), shrinks: true },
      { title: "Input", align: "right", cells: rate("input") },
      { title: "Cached", align: "right", cells: rate("cacheRead"), hideRank: 1 },
      { title: "Output", align: "right", cells: rate("output") },
      { title: "Source", align: "left", cells: models.map(({ entry }) => sourceOf(entry.sources).source), hideRank: 2 },
      { title: "Date", align: "left", cells: models.map(({ entry }) => sourceOf(entry.sources).date), hideRank: 3 },
    ],
    screen,
  )
}

function sourceOf(sources: PricedModel["entry"]["sources"]): { readonly source: string; readonly date: string } {
  const { source, date } = sources.input ?? Object.values(sources)[0] ?? { source: "", date: undefined }
  return { source, date: date ?? "" }
}
