import { z } from "zod"
import { RATES_BY_KEY } from "../../core/rates.ts"
import { parseOverrideDay, parseOverrideName, parseOverridePrice } from "../../operations/prices/override.ts"
import { listOverrides } from "../../operations/prices/overrides.ts"
import { setPrice } from "../../operations/prices/set.ts"
import { unsetPrice } from "../../operations/prices/unset.ts"
import { defineRoute } from "../_route.ts"

const override = z.object({
  model: z.string(),
  provider: z.string().nullable().describe("null: at every provider"),
  from: z.string().nullable().describe("the first day on which it applies, in UTC; null: from the beginning"),
  rates: z.record(z.string(), z.string()).readonly().describe("USD per million tokens, or per piece"),
  set_at: z.string().describe("ISO 8601"),
  set_by: z.string(),
})

const name = {
  model: z.string().describe("the model, as a response or a request names it"),
  provider: z.string().optional().describe("at this provider; default: at every provider"),
}

export const priceOverrides = {
  list: defineRoute({
    name: "prices.overrides",
    method: "GET",
    path: "/prices/overrides",
    role: "viewer",
    summary: "the prices that were set for all gateways of the database",
    input: z.strictObject({}),
    output: z.array(override).readonly(),
    needs: ["database"],
    run: (context) => listOverrides(context),
  }),
  set: defineRoute({
    name: "prices.set",
    method: "POST",
    path: "/prices/overrides",
    role: "admin",
    summary: "set the price of a model for all gateways of the database; pricing.overrides of a gateway wins over it",
    input: z.strictObject({
      ...name,
      rates: z
        .partialRecord(z.enum([...RATES_BY_KEY.keys()]), z.union([z.string(), z.number()]))
        .describe("USD per million tokens, or per piece, such as input and output; other rates stay as they are"),
      from: z.string().optional().describe("the first day on which it applies, in UTC; default: from the beginning"),
    }),
    output: override,
    needs: ["database", "prices"],
    parse: ({ model, provider, rates, from }) => ({
      ...parseOverrideName(model, provider),
      price: parseOverridePrice(rates, from),
    }),
    run: (context, input) => setPrice(context, input),
  }),
  unset: defineRoute({
    name: "prices.unset",
    method: "DELETE",
    path: "/prices/overrides",
    role: "admin",
    summary: "remove prices that were set; the price lists then say again what the model costs",
    input: z.strictObject({
      ...name,
      from: z.string().optional().describe("the day of the price, or start for the one without a day; default: all"),
    }),
    output: z.array(override).readonly(),
    needs: ["database", "prices"],
    parse: ({ model, provider, from }) => ({ ...parseOverrideName(model, provider), from: parseOverrideDay(from) }),
    run: (context, input) => unsetPrice(context, input),
  }),
}
