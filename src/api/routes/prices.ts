import { z } from "zod"
import { getPrices, toPriceExplanationObject } from "../../operations/prices/get.ts"
import { getPriceHistory } from "../../operations/prices/history.ts"
import { listPrices } from "../../operations/prices/list.ts"
import { toPriceObject } from "../../operations/prices/rates.ts"
import { refreshPrices } from "../../operations/prices/refresh.ts"
import { listUnpriced } from "../../operations/prices/unpriced.ts"
import { createRepriceLog, repriceRequests } from "../../operations/reprice/reprice.ts"
import { defineRoute, FROM_REPLICA } from "../_route.ts"
import { FILTERS, parseChoice } from "./_usage-input.ts"

const rateTexts = z.record(z.string(), z.string()).readonly()
const price = z.object({
  provider: z.string(),
  model: z.string(),
  rates: z
    .record(z.string(), z.record(z.string(), z.string().nullable()).readonly())
    .readonly()
    .describe("each rate by its name: usd_per_million or usd_each, source and date"),
  long_context: z
    .array(z.object({ above_tokens: z.number(), usd_per_million: rateTexts }))
    .readonly()
    .describe("the rates of requests with more input than above_tokens"),
})
const model = {
  model: z.string().describe("the model, as a response or a request names it"),
  provider: z.string().optional().describe("at this provider"),
}
const source = z.object({
  source: z.enum(["llm-prices.com", "genai-prices", "litellm"]),
  status: z.enum(["updated", "unchanged", "failed", "off"]),
  updated_at: z.string().nullable().describe("the day of the list"),
  models: z.number().nullable(),
  reason: z.string().nullable(),
})

/** The change of the requests of one model that were priced again. */
export const repricedModel = z.object({
  provider: z.string(),
  model: z.string(),
  looked: z.number(),
  changed: z.number(),
  before: z.string().describe("the cost of the changed requests in USD"),
  after: z.string(),
  unpriced_before: z.number(),
  unpriced_after: z.number(),
  reason: z.string().nullable().describe("why requests still have no price"),
})

export const prices = {
  list: defineRoute({
    name: "prices.list",
    method: "GET",
    path: "/prices",
    role: "viewer",
    summary: "every model that has a price, in USD per million tokens",
    input: z.strictObject({ provider: z.string().optional().describe("only the models of this provider") }),
    output: z.array(price).readonly(),
    needs: ["prices"],
    run: (context, input) => listPrices(context, input).map(({ provider, entry }) => toPriceObject(provider, entry)),
  }),
  get: defineRoute({
    name: "prices.get",
    method: "GET",
    path: "/prices/{model}",
    role: "viewer",
    summary: "what one model costs, and which source says so",
    input: z.strictObject(model),
    output: z
      .array(
        price.extend({
          asked: z.string(),
          matched: z.enum(["exact", "rule", "undated"]),
          unsure: rateTexts,
          disagreements: z
            .array(
              z.object({
                rate: z.string(),
                taken: z.string(),
                from: z.string(),
                other: z.string(),
                other_from: z.string(),
              }),
            )
            .readonly(),
          not_used: z.array(z.object({ source: z.string(), reason: z.string() })).readonly(),
        }),
      )
      .readonly(),
    needs: ["prices"],
    run: (context, input) => getPrices(context, input).map(toPriceExplanationObject),
  }),
  history: defineRoute({
    name: "prices.history",
    method: "GET",
    path: "/prices/{model}/history",
    role: "viewer",
    summary: "how the prices of one model changed, in each source",
    input: z.strictObject(model),
    output: z
      .array(
        z.object({
          provider: z.string(),
          model: z.string(),
          source: z.string(),
          since: z.string().nullable().describe("null: the first prices that are known"),
          listed: z.boolean().describe("false: the source no longer lists the model"),
          rates: rateTexts,
          long_context: z.array(z.object({ above_tokens: z.number(), rates: rateTexts })).readonly(),
        }),
      )
      .readonly(),
    needs: ["history"],
    run: (context, input) => getPriceHistory(context, input),
  }),
  unpriced: defineRoute({
    name: "prices.unpriced",
    method: "GET",
    path: "/prices/unpriced",
    role: "viewer",
    summary: "the models of a period that have requests without a known price, those with the most first",
    input: z.strictObject({ since: FILTERS.since, until: FILTERS.until, tz: FILTERS.tz }),
    output: z
      .array(
        z.object({
          provider: z.string().nullable(),
          model: z.string().nullable(),
          requests: z.number().describe("all requests of the model"),
          unpriced: z.number().describe("those without a known price"),
          input_tokens: z.number(),
          output_tokens: z.number(),
        }),
      )
      .readonly(),
    ...FROM_REPLICA,
    parse: (input, now) => parseChoice({ ...input, where: [] }, now, "30d").period,
    run: (context, period) => listUnpriced(context, period),
  }),
  refresh: defineRoute({
    name: "prices.refresh",
    method: "POST",
    path: "/prices/refresh",
    role: "admin",
    summary: "fetch the price lists now",
    input: z.strictObject({}),
    output: source
      .pick({ status: true, updated_at: true, models: true })
      .extend({ sources: z.array(source).readonly() }),
    needs: ["prices"],
    run: (context) => refreshPrices(context),
  }),
  reprice: defineRoute({
    name: "prices.reprice",
    method: "POST",
    path: "/reprice",
    role: "admin",
    summary: "price stored requests again, at the prices of their time; the old costs are kept",
    input: z.strictObject({
      since: z.string().describe("from then on: 7d, 24h, 2026-11-01, today or month"),
      until: FILTERS.until,
      tz: FILTERS.tz,
      model: FILTERS.model,
      provider: FILTERS.provider,
      unpriced: z.boolean().default(false).describe("only requests that have no price"),
      dry_run: z.boolean().default(false).describe("say what would change, and change nothing"),
    }),
    output: z.object({
      since: z.string(),
      until: z.string().nullable(),
      dry_run: z.boolean(),
      models: z.array(repricedModel).readonly(),
    }),
    needs: ["database", "prices"],
    parse: ({ since, until, tz, model, provider, unpriced, dry_run: dryRun }, now) => {
      const { period } = parseChoice({ since, until, tz, where: [] }, now, since)
      return { filter: { since: period.since, until: period.until, model, provider, unpricedOnly: unpriced }, dryRun }
    },
    async run(context, input) {
      const { providers } = context.settings
      const onProgress = createRepriceLog(context, input.dryRun)
      const findFormat = (provider: string) => providers[provider]?.format
      const models = await repriceRequests({ ...context, findFormat, onProgress }, input)
      const { since, until } = input.filter
      const toIso = (at: number) => new Date(at).toISOString()
      return { since: toIso(since), until: until === undefined ? null : toIso(until), dry_run: input.dryRun, models }
    },
  }),
}
