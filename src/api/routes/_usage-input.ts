import { z } from "zod"
import { parseFilters, parsePeriod, parseZone } from "../../operations/usage/question.ts"

/** The parameters that choose requests, as text. Every route about usage has them. */
export const FILTERS = {
  since: z.string().optional().describe("from then on: 7d, 24h, 2026-11-01, today or month"),
  until: z.string().optional().describe("up to then; a date includes its whole day"),
  period: z.string().optional().describe("a calendar period in place of since and until: last-month, 2026-10, 2026-Q3"),
  month: z.string().optional().describe("a month in place of since and until, such as 2026-10"),
  tz: z.string().default("UTC").describe("a time zone such as Europe/Lisbon"),
  model: z.string().optional().describe("only this model; gpt-4* means all that begin with gpt-4"),
  provider: z.string().optional().describe("only this provider"),
  key: z.string().optional().describe("only this API key, by its id or its name"),
  status: z.string().optional().describe("only error, success, a status code, or 4*"),
  billing: z.string().optional().describe("only api or subscription: who pays for the tokens"),
  source: z
    .string()
    .optional()
    .describe(
      "only gateway, telemetry or import: relayed requests, or those that clients reported or that were imported",
    ),
  where: z.array(z.string()).default([]).describe("only this metadata, such as User-Id=42; may be repeated"),
}

/** The result of a report beside its cost. */
export const SUBSCRIPTION_VALUE = z
  .string()
  .nullable()
  .describe(
    "what the API would have charged for requests that a subscription pays for; not part of total_cost; null: not known",
  )

/** The field of a report that says why it has no requests. */
export const EMPTY = z
  .discriminatedUnion("kind", [
    z.object({ kind: z.literal("future") }),
    z.object({ kind: z.literal("excluded"), newest: z.number().describe("when the newest request of all ended") }),
    z.object({
      kind: z.literal("unknown"),
      field: z.string().describe("the filter: model, provider, key or where"),
      noun: z.string(),
      value: z.string().describe("no request has it"),
      known: z.array(z.string()).readonly().describe("values that requests have"),
      is_similar: z.boolean().describe("they are similar to the value"),
    }),
    z.object({ kind: z.literal("pruned"), before: z.number() }),
    z.object({ kind: z.literal("no requests"), gateway: z.string().describe("where the first one may go") }),
  ])
  .optional()
  .describe("why there are no requests")

/** A whole number, which a query has as text. */
export function whole(min: number, max: number) {
  const error = ({ input }: { readonly input?: unknown }) =>
    `expected a whole number from ${min} to ${max}${Number.isNaN(input) ? "" : `, got ${JSON.stringify(input)}`}`
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

const limit = whole(1, 1_000_000).describe("at most so many")

/** How many results are wanted: all, unless given. */
export const OPTIONAL_LIMIT = limit.optional()

/** How many results are wanted, with a default. */
export const toLimit = (initial: number) => limit.default(initial)

type FilterInput = z.output<z.ZodObject<typeof FILTERS>>

/**
 * Returns the filters and the period of the parameters.
 *
 * @throws InputError for a parameter that is not valid
 */
export function parseChoice(
  { since, until, period, month, tz, ...filters }: FilterInput,
  now: number,
  defaultSince: string,
) {
  return {
    period: parsePeriod({ since, until, period, month, tz: parseZone(tz), defaultSince }, now),
    filters: parseFilters(filters),
  }
}
