import { CommandError } from "../../core/errors.ts"
import type { PricedModel } from "../../pricing/price-list.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { renderTable } from "../_table.ts"
import { withPriceBook } from "./_book.ts"
import { toPriceObject } from "./_prices.ts"

export default defineCommand({
  meta: { name: "list", description: "every model that has a price, in USD per million tokens" },
  args: {
    provider: { type: "string", valueHint: "NAME", description: "only the models of this provider" },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: ["majordomo-gateway pricing list --provider openai", "majordomo-gateway pricing list --json"],
  async run({ args }) {
    await withPriceBook(args.config, (book) => {
      const models = book.models(args.provider)
      if (args.provider !== undefined && models.length === 0) {
        const known = [...new Set(book.models().map(({ provider }) => provider))].filter((name) => name !== "")
        throw new CommandError(`no prices for a provider "${args.provider}"; there are ${known.join(", ")}`)
      }
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
      { title: "Cached", align: "right", cells: rate("cacheRead"), leaves: 1 },
      { title: "Output", align: "right", cells: rate("output") },
      { title: "Source", align: "left", cells: models.map(({ entry }) => sourceOf(entry.sources).source), leaves: 2 },
      { title: "Date", align: "left", cells: models.map(({ entry }) => sourceOf(entry.sources).date), leaves: 3 },
    ],
    screen,
  )
}

function sourceOf(sources: PricedModel["entry"]["sources"]): { readonly source: string; readonly date: string } {
  const { source, date } = sources.input ?? Object.values(sources)[0] ?? { source: "", date: undefined }
  return { source, date: date ?? "" }
}
