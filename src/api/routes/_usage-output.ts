import { z } from "zod"
import { EMPTY, SUBSCRIPTION_VALUE } from "./_usage-input.ts"

const measures = {
  requests: z.number(),
  errors: z.number(),
  input_tokens: z.number(),
  cached_tokens: z.number(),
  cache_creation_tokens: z.number(),
  output_tokens: z.number(),
  total_cost: z.string().nullable().describe("USD as a plain decimal; null: no price is known"),
  share: z.number().describe("the share of the report's cost, from 0 to 1"),
  exact: z.number(),
  estimated: z.number(),
  unpriced: z.number(),
  subscription_requests: z.number(),
  subscription_value: SUBSCRIPTION_VALUE,
}
export const rows = z.array(z.looseObject(measures).describe("the dimensions by name, and the measures")).readonly()
export const total = z.object(measures)

export const head = {
  since: z.string().describe("ISO 8601 with the offset of the time zone"),
  until: z.string(),
  tz: z.string(),
  by: z.array(z.string()).readonly(),
  filters: z.record(z.string(), z.unknown()),
  groups: z.number().describe("the number of rows without the limit"),
  notes: z.array(z.string()).readonly().optional().describe("what a reader of the numbers needs to know"),
  pending_rows: z.number().optional().describe("rows that wait in the journal and are not counted yet"),
  empty: EMPTY,
}
export const edges = z.object({ since: z.string(), until: z.string() })
export const report = z.object({
  ...head,
  compared_with: edges.optional().describe("the period that the report is compared with, if it is"),
  rows: rows.describe("with requests_before and total_cost_before if the report is compared"),
  total: total.extend({
    requests_before: z.number().optional(),
    total_cost_before: z.string().nullable().optional(),
  }),
})

export const rate = { requests: z.number(), errors: z.number(), error_rate: z.number().describe("from 0 to 1") }
export const latency = {
  ...rate,
  measured: z.number().describe("the complete answers, which alone have a latency"),
  p50_ms: z.number().nullable(),
  p95_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
}
