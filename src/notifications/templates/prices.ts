import type { PriceChangedFacts } from "../../core/notification.ts"
import { countOf, formatChange, formatRate, formatUsd, toName } from "../_format.ts"
import { type Template, toArgument, toLink, toParagraphs } from "./_template.ts"

export const toUnpricedModelDraft: Template<"unpriced_model"> = ({ facts }, context) => {
  const { provider, model, key, request_id: requestId } = facts
  const names = `${toArgument(model, "MODEL")} --provider ${toArgument(provider, "PROVIDER")}`
  return {
    title: `No price is known for ${toName(model)} (${toName(provider)})`,
    summary: toParagraphs(
      `${key === undefined ? "A request" : `The key "${toName(key)}"`} used it for the first time. Its requests are recorded with their tokens, but their cost is not known, so reports show less than the bill, and limits on cost do not count them.`,
      `Set its price: majordomo-gateway pricing set ${names} --input USD --output USD. Then run majordomo-gateway pricing reprice, which computes the missing costs.`,
    ),
    fields: [
      { label: "Model", value: toName(model) },
      { label: "Provider", value: toName(provider) },
      ...(key === undefined ? [] : [{ label: "First used by", value: toName(key) }]),
      { label: "Request", value: toName(requestId) },
    ],
    tables: [],
    link: toLink(context, { label: "Set a price", view: "price", params: { of: model, at: provider } }),
  }
}

export const toPriceChangedDraft: Template<"price_changed"> = ({ facts }, context) => {
  const { provider, model, source, changes, recent_cost: recent } = facts
  const cost = recent === undefined ? undefined : `The model cost ${formatUsd(recent)} in the last 30 days.`
  return {
    title: toTitle(facts),
    summary: toParagraphs(
      `The price list ${toName(source)} has the new ${changes.length === 1 ? "price" : "prices"}. New requests are priced with them, and recorded costs stay as they are. ${cost ?? ""}`.trim(),
      `If your contract has other prices, set them: majordomo-gateway pricing set ${toArgument(model, "MODEL")} --provider ${toArgument(provider, "PROVIDER")}`,
    ),
    fields: [
      { label: "Model", value: toName(model) },
      { label: "Provider", value: toName(provider) },
      { label: "Price list", value: toName(source) },
      ...(recent === undefined ? [] : [{ label: "Cost in 30 days", value: formatUsd(recent) }]),
    ],
    tables: [
      {
        title: "Prices",
        columns: [
          { label: "Component" },
          { label: "Before", isNumber: true },
          { label: "Now", isNumber: true },
          { label: "Change", isNumber: true },
        ],
        rows: changes.map(({ component, before, after }) => [
          toComponent(component),
          before === undefined ? "none" : formatRate(before),
          after === undefined ? "none" : formatRate(after),
          before === undefined || after === undefined ? "" : formatChange(Number(after), Number(before)),
        ]),
      },
    ],
    link: toLink(context, { label: "Open the prices", view: "price", params: { of: model, at: provider } }),
  }
}

function toTitle({ provider, model, changes }: PriceChangedFacts): string {
  const of = `${toName(model)} (${toName(provider)})`
  const [only] = changes
  if (changes.length !== 1 || only === undefined) return `${countOf(changes.length, "price")} of ${of} changed`
  const { component, before, after } = only
  const name = `The ${toComponent(component)} price of ${of}`
  if (before === undefined) return after === undefined ? `${name} changed` : `${name} is new: ${formatRate(after)}`
  if (after === undefined) return `${name} was removed; it was ${formatRate(before)}`
  const verb = Number(after) > Number(before) ? "rose" : "fell"
  return `${name} ${verb} from ${formatRate(before)} to ${formatRate(after)}`
}

const toComponent = (name: string) => toName(name.replaceAll("_", " "))
