import type { Override } from "../../operations/prices/override.ts"

/** The arguments of the commands about the set price of one model. */
export const OVERRIDDEN = {
  model: { type: "positional", required: true, description: "the model, as a response or a request names it" },
  provider: { type: "string", valueHint: "NAME", description: "at this provider (default: at every provider)" },
} as const

/** Returns a sentence such as `my-model at openai costs input 0.5, output 1.25 from 2026-12-01 on.` */
export function describeOverride({ model, provider, rates, from }: Override): string {
  const where = provider === null ? "" : ` at ${provider}`
  const since = from === null ? "" : ` from ${from} on`
  return `${model}${where} costs ${describeRates(rates)}${since}.`
}

export function describeRates(rates: Override["rates"]): string {
  return Object.entries(rates)
    .map(([name, usd]) => `${name} ${usd}`)
    .join(", ")
}
