import { z } from "zod"
import { InputError } from "../../operations/input-error.ts"
import { computeWhatIf, parseModels, type WhatIfQuestion } from "../../operations/reprice/what-if.ts"
import { type ForecastQuestion, forecastUsage, MAX_WEEKS } from "../../operations/usage/forecast.ts"
import { createInvoice, type InvoiceQuestion, parseAllocation } from "../../operations/usage/invoice.ts"
import { parseDimensions, parseNamedPeriod, parsePeriod } from "../../operations/usage/question.ts"
import { defineRoute, FROM_REPLICA } from "../_route.ts"
import { FILTERS, parseChoice } from "./_usage-input.ts"

const { since: _since, until: _until, period: _period, month: _month, ...filters } = FILTERS
const { model: _model, status: _status, billing: _billing, source: _source, ...whatIfFilters } = FILTERS
const money = z.string().describe("USD as a plain decimal")
const unknownMoney = money.nullable()
const head = {
  since: z.string(),
  until: z.string(),
  tz: z.string(),
  filters: z.record(z.string(), z.unknown()),
  notes: z.array(z.string()).readonly(),
}

const invoiceMeasures = {
  requests: z.number(),
  input_tokens: z.number(),
  cached_tokens: z.number(),
  output_tokens: z.number(),
  total_cost: unknownMoney,
  estimated: z.number(),
  unpriced: z.number(),
}

const charge = z.object({
  group: z.string().nullable(),
  provider: z.string(),
  model: z.string(),
  bucket: z.string().describe("what was counted, such as cacheRead"),
  kind: z.string().nullable(),
  priced_model: z.string().nullable().describe("the model in the price list"),
  tier: z.string().nullable(),
  quantity: z.string(),
  per: z.enum(["million", "one"]),
  list_price: money,
  price: money.describe("the list price with the discount of the key"),
  cost: money,
})

const whatIfMeasures = {
  requests: z.number().describe("the requests with a known cost under both models"),
  total_cost: money,
  what_if_cost: money,
  difference: money,
  estimated: z.number(),
}

type Choice = Parameters<typeof parseChoice>[0]

/** Returns the whole month that an input names, and its filters. @throws InputError */
function parseMonth(input: Choice & { readonly month: string }, now: number) {
  const { month, ...rest } = input
  const { period, filters } = parseChoice(rest, now, "today")
  return { period: parseNamedPeriod("month", month, { now, tz: period.tz }), filters }
}

/** The routes that look ahead and divide costs: forecasts, what-if and invoices. */
export const outlook = {
  forecast: defineRoute({
    name: "usage.forecast",
    method: "GET",
    path: "/usage/forecast",
    role: "viewer",
    summary: "what a month will have cost at its end, by the pattern of the last weeks",
    input: z.strictObject({ ...filters, month: z.string().default("this-month").describe("such as 2026-12") }),
    output: z.object({
      ...head,
      to_date: unknownMoney,
      unpriced: z.number().describe("the requests of the month without a known price"),
      forecast: unknownMoney.describe("null: too little is known, and notes say what"),
      low: unknownMoney,
      high: unknownMoney,
      weeks: z.number().describe("the number of weeks that the forecast is based on"),
    }),
    ...FROM_REPLICA,
    parse(input, now): ForecastQuestion {
      const { period, filters } = parseMonth(input, now)
      const { tz } = period
      const today = parsePeriod({ since: "today", tz }, now).since
      const { since } = parsePeriod({ since: `${MAX_WEEKS * 7}d`, tz }, now)
      return { period, filters, pattern: { since, until: today, tz } }
    },
    run: (context, question) => forecastUsage(context, question),
  }),
  invoice: defineRoute({
    name: "usage.invoice",
    method: "GET",
    path: "/usage/invoice",
    role: "viewer",
    summary: "what each group owes for a calendar month; the amounts add up to the total of the usage report",
    input: z.strictObject({
      ...filters,
      month: z.string().default("last-month").describe("such as 2026-10"),
      by: z.string().default("key").describe("one dimension, such as Team"),
      allocate: z
        .string()
        .optional()
        .describe("the group whose cost the others share: Team=(none) by requests or cost"),
      lines: z
        .enum(["true", "false"])
        .default("false")
        .describe("also what each group used of each model, and at which prices"),
    }),
    output: z.object({
      ...head,
      by: z.array(z.string()).readonly(),
      is_final: z.boolean().describe("false: the month has not ended"),
      rows: z
        .array(z.looseObject({ ...invoiceMeasures, allocated: money, amount: unknownMoney }))
        .readonly()
        .describe("amount is the group's own cost and its part of the shared cost"),
      total: z.object(invoiceMeasures),
      allocation: z.object({ group: z.string(), by: z.string(), amount: money }).optional(),
      lines: z
        .array(z.object({ group: z.string().nullable(), provider: z.string(), model: z.string(), ...invoiceMeasures }))
        .readonly()
        .optional(),
      charges: z.array(charge).readonly().optional().describe("the lines of price certificates, added up by price"),
    }),
    ...FROM_REPLICA,
    parse({ by, allocate, lines, ...input }, now): InvoiceQuestion {
      const [dimension, ...others] = parseDimensions(by)
      if (others.length > 0) throw new InputError("by", "expected one dimension, such as Team or key")
      const allocation = parseAllocation(allocate, dimension!)
      return { by: dimension!, ...parseMonth(input, now), allocation, hasLines: lines === "true" }
    },
    run: (context, question) => createInvoice(context, question),
  }),
  whatIf: defineRoute({
    name: "usage.what_if",
    method: "GET",
    path: "/usage/what-if",
    role: "viewer",
    summary: "what the same tokens would have cost with another model",
    input: z.strictObject({
      ...whatIfFilters,
      model: z.string().describe("the model that was used and the other one: gpt-5=gpt-5-mini"),
      to_provider: z.string().optional().describe("the provider of the other model, if it is another one"),
      prices: z.enum(["then", "now"]).default("then").describe("the other model's prices of that time, or of today"),
    }),
    output: z.object({
      ...head,
      from: z.string(),
      to: z.string(),
      to_provider: z.string().nullable(),
      prices: z.enum(["then", "now"]),
      rows: z.array(z.object({ provider: z.string(), model: z.string(), ...whatIfMeasures })).readonly(),
      total: z.object(whatIfMeasures),
      not_priced: z
        .array(z.object({ provider: z.string(), model: z.string(), requests: z.number(), reason: z.string() }))
        .readonly()
        .describe("the requests that are in no sum, and why"),
    }),
    needs: ["database", "prices"],
    readsReplica: true,
    parse({ model, to_provider: provider, prices, ...choice }, now): WhatIfQuestion {
      return { ...parseModels(model), provider: provider?.toLowerCase(), prices, ...parseChoice(choice, now, "30d") }
    },
    run(context, question) {
      const { providers } = context.settings
      const findFormat = (provider: string) => providers[provider]?.format
      return computeWhatIf({ ...context, findFormat }, question)
    },
  }),
}
