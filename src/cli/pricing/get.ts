import { CommandError } from "../../core/errors.ts"
import type { PriceBook } from "../../pricing/price-book.ts"
import type { PriceExplanation } from "../../pricing/price-list.ts"
import { COMMON, defineCommand, JSON_OPTION } from "../_command.ts"
import { findScreen, print, printJson, type Screen } from "../_print.ts"
import { renderTable } from "../_table.ts"
import { printable, withThousands } from "../_text.ts"
import { withPriceBook } from "./_book.ts"
import { listRates, toPriceObject, toRateLabel } from "./_prices.ts"

export default defineCommand({
  meta: { name: "get", description: "what one model costs, and who says so" },
  args: {
    model: { type: "positional", required: true, description: "the model, as an answer or a request names it" },
    provider: {
      type: "string",
      valueHint: "NAME",
      description: "at this provider (default: those of the configuration)",
    },
    ...JSON_OPTION,
    ...COMMON,
  },
  examples: [
    "majordomo-gateway pricing get gpt-4o-mini",
    "majordomo-gateway pricing get grok-4.5 --provider x-ai --json",
  ],
  async run({ args }) {
    await withPriceBook(args.config, (book, { providers }) => {
      const found = explain(book, { model: args.model, provider: args.provider, configured: Object.keys(providers) })
      if (found.length === 0) {
        const where = args.provider === undefined ? "" : ` at ${printable(args.provider)}`
        const advice = "set pricing.overrides, or see majordomo-gateway pricing list"
        throw new CommandError(`no price for "${printable(args.model)}"${where}: its requests are unpriced; ${advice}`)
      }
      if (args.json) printJson(found.map(toObject))
      else print(found.map((each) => renderPrice(each, findScreen())).join("\n"))
    })
  },
})

/** At the given provider; else at the configured ones; else wherever it has a price. */
function explain(
  book: PriceBook,
  of: { readonly model: string; readonly provider: string | undefined; readonly configured: readonly string[] },
): readonly PriceExplanation[] {
  if (of.provider !== undefined) return book.explain(of.provider, of.model)
  const near = of.configured.flatMap((name) => book.explain(name, of.model))
  const found = near.length > 0 ? near : book.explain(undefined, of.model)
  // Resellers come with their makers' prices: the makers say it all.
  const own = found.filter(({ isResold }) => !isResold)
  return own.length > 0 ? own : found
}

function toObject({ provider, asked, how, entry, unsure, disagreements }: PriceExplanation) {
  return {
    asked,
    matched: how,
    ...toPriceObject(provider, entry),
    unsure: Object.fromEntries(
      Object.entries(unsure)
        .filter(([name]) => entry.sources[name as keyof typeof entry.sources]?.source !== "derived")
        .map(([name, why]) => [toRateLabel(name as keyof typeof unsure), why]),
    ),
    disagreements: disagreements.map(({ rate, taken, from, other, otherFrom }) => ({
      rate: toRateLabel(rate),
      taken,
      from,
      other,
      other_from: otherFrom,
    })),
  }
}

const HOW = {
  exact: "",
  rule: " (by the catalogue's rule for its names)",
  undated: " (without its date: a cost by it is an estimate)",
} as const

function renderPrice(found: PriceExplanation, screen: Screen): string {
  const { provider, asked, how, entry, disagreements, setAside } = found
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
  const long = toPriceObject(provider, entry).long_context.map(
    ({ above_tokens: above, usd_per_million: usd }) =>
      `Over ${withThousands(above)} tokens of input, for the whole request: ${Object.entries(usd)
        .map(([rate, value]) => `${rate} ${value}`)
        .join(", ")}`,
  )
  return [
    printable(`${name} at ${provider}`),
    "",
    table.trimEnd(),
    ...long,
    ...disagreements.map(({ rate, other, otherFrom }) => `${otherFrom} says ${other} for ${toRateLabel(rate)}`),
    ...setAside.map(({ row, reason }) => `${row.source} was set aside: ${reason}`),
    "",
  ].join("\n")
}
