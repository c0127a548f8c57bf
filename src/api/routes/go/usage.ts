import { z } from "zod"
import { parseName } from "../../../operations/metadata/name.ts"
import type { Measures } from "../../../operations/usage/json.ts"
import { parseDimensions } from "../../../operations/usage/question.ts"
import { reportUsage, type UsageRow } from "../../../operations/usage/report.ts"
import { defineRoute, FROM_REPLICA } from "../../_route.ts"
import { toUsd, usd } from "./_money.ts"
import { parseChoice, QUESTION } from "./_question.ts"

const notKnown = z.null().describe("not known by group; total_cost includes it")
const unpriced = z.number().describe("requests whose cost is not known, so that total_cost does not include it")

const numbers = {
  request_count: z.number(),
  input_tokens: z.number(),
  output_tokens: z.number(),
  cached_tokens: z.number(),
  cache_creation_tokens: z.number(),
  total_cost: usd,
  cached_cost: notKnown,
  cache_creation_cost: notKnown,
  unpriced_requests: unpriced,
}

function toNumbers(row: Measures) {
  return {
    request_count: row.requests,
    input_tokens: row.input_tokens,
    output_tokens: row.output_tokens,
    cached_tokens: row.cached_tokens,
    cache_creation_tokens: row.cache_creation_tokens,
    total_cost: toUsd(row.total_cost),
    cached_cost: null,
    cache_creation_cost: null,
    unpriced_requests: row.unpriced,
  }
}

interface Breakdown<Row> {
  readonly name: string
  readonly path: `/usage/${string}`
  readonly summary: string
  readonly by: string
  readonly row: z.ZodType<Row>
  readonly toRow: (row: UsageRow) => Row
}

/** Defines a route that answers with one object per group. */
function defineBreakdown<Row>({ by, row, toRow, ...facts }: Breakdown<Row>) {
  return defineRoute({
    ...facts,
    method: "POST",
    role: "viewer",
    input: z.object(QUESTION),
    output: z.array(row),
    ...FROM_REPLICA,
    parse: parseChoice,
    async run(context, choice) {
      const { answer } = await reportUsage(context, { ...choice, by: parseDimensions(by) })
      return answer.rows.map(toRow)
    },
  })
}

/** Returns one value of a group as text. */
const value = ({ values }: UsageRow, at = 0) => String(values[at] ?? "")

export const usage = {
  summary: defineRoute({
    name: "go.summary",
    method: "POST",
    path: "/usage/summary",
    role: "viewer",
    summary: "the total of a period, as the Go gateway gives it",
    input: z.object(QUESTION),
    output: z.object({
      total_requests: z.number(),
      total_input_tokens: z.number(),
      total_output_tokens: z.number(),
      total_cached_tokens: z.number(),
      total_cache_creation_tokens: z.number(),
      total_cost: usd,
      total_cached_cost: notKnown,
      total_cache_creation_cost: notKnown,
      unpriced_requests: unpriced,
    }),
    ...FROM_REPLICA,
    parse: parseChoice,
    async run(context, choice) {
      const { total } = (await reportUsage(context, { ...choice, by: [] })).answer
      return {
        total_requests: total.requests,
        total_input_tokens: total.input_tokens,
        total_output_tokens: total.output_tokens,
        total_cached_tokens: total.cached_tokens,
        total_cache_creation_tokens: total.cache_creation_tokens,
        total_cost: toUsd(total.total_cost),
        total_cached_cost: null,
        total_cache_creation_cost: null,
        unpriced_requests: total.unpriced,
      }
    },
  }),
  daily: defineBreakdown({
    name: "go.daily",
    path: "/usage/daily",
    summary: "usage by day, as the Go gateway gives it",
    by: "day",
    row: z.object({ date: z.string().describe("UTC"), ...numbers }),
    toRow: (row) => ({ date: value(row), ...toNumbers(row) }),
  }),
  models: defineBreakdown({
    name: "go.models",
    path: "/usage/models",
    summary: "usage by provider and model, as the Go gateway gives it",
    by: "provider,model",
    row: z.object({ provider: z.string(), model: z.string(), ...numbers }),
    toRow: (row) => ({ provider: value(row), model: value(row, 1), ...toNumbers(row) }),
  }),
  providers: defineBreakdown({
    name: "go.providers",
    path: "/usage/providers",
    summary: "usage by provider, as the Go gateway gives it",
    by: "provider",
    row: z.object({ provider: z.string(), ...numbers }),
    toRow: (row) => ({ provider: value(row), ...toNumbers(row) }),
  }),
  apiKeys: defineBreakdown({
    name: "go.api_keys",
    path: "/usage/api-keys",
    summary: "usage by API key, as the Go gateway gives it",
    by: "key",
    row: z.object({
      api_key_id: z.string().nullable().describe("null: the requests without a key"),
      api_key_name: z.string(),
      ...numbers,
    }),
    toRow: (row) => ({ api_key_id: row.keyId ?? null, api_key_name: value(row) || "(none)", ...toNumbers(row) }),
  }),
  metadata: defineRoute({
    name: "go.metadata",
    method: "POST",
    path: "/usage/metadata/{key}",
    role: "viewer",
    summary: "usage by the values of a metadata name, as the Go gateway gives it",
    input: z.object({ key: z.string().describe("the metadata name, in any case"), ...QUESTION }),
    output: z.array(z.object({ value: z.string(), ...numbers })),
    ...FROM_REPLICA,
    parse: ({ key, ...body }, now) => ({
      ...parseChoice(body, now),
      by: parseDimensions(parseName({ name: key }).name),
    }),
    async run(context, question) {
      const { answer } = await reportUsage(context, question)
      // The group of the requests without the name has no value.
      return answer.rows
        .filter(({ values }) => values[0] !== null)
        .map((row) => ({ value: value(row), ...toNumbers(row) }))
    },
  }),
  errors: defineRoute({
    name: "go.errors",
    method: "POST",
    path: "/usage/errors",
    role: "viewer",
    summary: "how many requests failed, in all and by day, as the Go gateway gives it",
    input: z.object(QUESTION),
    output: z.object({
      total_requests: z.number(),
      error_requests: z.number(),
      error_rate: z.number().describe("from 0 to 1"),
      daily: z.array(
        z.object({ date: z.string(), request_count: z.number(), error_count: z.number(), error_rate: z.number() }),
      ),
    }),
    ...FROM_REPLICA,
    parse: parseChoice,
    async run(context, { period, filters }) {
      // A rate counts all requests, whatever the filter by status says.
      const question = { period, filters: { ...filters, status: undefined }, by: parseDimensions("day") }
      const { rows, total } = (await reportUsage(context, question)).answer
      return {
        total_requests: total.requests,
        error_requests: total.errors,
        error_rate: toRate(total),
        daily: rows.map((row) => ({
          date: value(row),
          request_count: row.requests,
          error_count: row.errors,
          error_rate: toRate(row),
        })),
      }
    },
  }),
}

function toRate({ requests, errors }: Measures): number {
  return requests === 0 ? 0 : errors / requests
}
