import { z } from "zod"
import { explainEmpty } from "../../operations/usage/empty.ts"
import { toOverviewObject, toReportObject } from "../../operations/usage/json.ts"
import { summarizeUsage } from "../../operations/usage/overview.ts"
import { listPending } from "../../operations/usage/pending.ts"
import { parseDimensions, parseSort } from "../../operations/usage/question.ts"
import { reportUsage, SORTS, type UsageQuestion } from "../../operations/usage/report.ts"
import { defineRoute } from "../_route.ts"
import { notePendingRows } from "./_pending-rows.ts"
import { FILTERS, OPTIONAL_LIMIT, parseChoice, toLimit } from "./_usage-input.ts"

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
}
const rows = z.array(z.looseObject(measures).describe("the dimensions by name, and the measures")).readonly()
const total = z.object(measures)

const report = z.object({
  since: z.string().describe("ISO 8601 with the offset of the time zone"),
  until: z.string(),
  tz: z.string(),
  by: z.array(z.string()).readonly(),
  filters: z.record(z.string(), z.unknown()),
  rows,
  total,
  groups: z.number().describe("the number of rows without the limit"),
  notes: z.array(z.string()).readonly().optional().describe("what a reader of the numbers needs to know"),
  pending_rows: z.number().optional().describe("rows that wait in the journal and are not counted yet"),
})

const question = {
  ...FILTERS,
  sort: z.string().optional().describe(SORTS.join(", ")),
  limit: OPTIONAL_LIMIT,
}
const dimensions = "model, provider, key, hour, day, week, month, status, outcome, or a metadata name"

export const usage = {
  report: defineRoute({
    name: "usage.report",
    method: "GET",
    path: "/usage",
    role: "viewer",
    summary: "what was used and what it cost, by up to two dimensions",
    input: z.strictObject({ by: z.string().optional().describe(dimensions), ...question }),
    output: report,
    needs: ["database"],
    parse: ({ by, sort, limit, ...choice }, now): UsageQuestion => ({
      by: parseDimensions(by),
      ...parseChoice(choice, now, "30d"),
      sort: parseSort(sort, SORTS),
      limit,
    }),
    async run(context, question) {
      const now = context.now()
      // Before the report, so that a row that is written in between is counted twice rather than not at all.
      const pendingRows = await notePendingRows(context)
      const { answer, notes } = await reportUsage(context, question)
      return toReportObject({ question, answer, notes, now, pendingRows })
    },
  }),
  overview: defineRoute({
    name: "usage.overview",
    method: "GET",
    path: "/usage/overview",
    role: "viewer",
    summary: "a period at a glance: its total and the one before, its days, its models and keys",
    input: z.strictObject(question),
    output: report.extend({
      before: total.describe("the total of the period of the same length before"),
      days: rows,
      models: rows,
      keys: rows,
      model_count: z.number(),
      key_count: z.number(),
      unpriced_models: z.array(z.string()).readonly(),
    }),
    needs: ["database"],
    parse: ({ sort, limit, ...choice }, now): UsageQuestion => ({
      by: [],
      ...parseChoice(choice, now, "30d"),
      sort: parseSort(sort, SORTS),
      limit,
    }),
    async run(context, question) {
      const now = context.now()
      const pendingRows = await notePendingRows(context)
      return toOverviewObject(await summarizeUsage({ ...context, now: () => now }, question), { now, pendingRows })
    },
  }),
  empty: defineRoute({
    name: "usage.empty",
    method: "GET",
    path: "/usage/empty",
    role: "viewer",
    summary: "why a report from some moment on has no requests",
    input: z.strictObject({ since: FILTERS.since, tz: FILTERS.tz }),
    output: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("future"), now: z.number().describe("ms since the epoch") }),
      z.object({ kind: z.literal("excluded"), newest: z.number() }),
      z.object({ kind: z.literal("pruned"), before: z.number() }),
      z.object({ kind: z.literal("no requests"), gateway: z.string().describe("where the first one may go") }),
    ]),
    needs: ["database"],
    parse: ({ since, tz }, now) => parseChoice({ since, tz, where: [] }, now, "30d").period,
    run: (context, period) => explainEmpty(context, period),
  }),
  pending: defineRoute({
    name: "usage.pending",
    method: "GET",
    path: "/usage/pending",
    role: "viewer",
    summary: "background responses and batches that are not billed yet, the oldest first",
    input: z.strictObject({ limit: toLimit(50) }),
    output: z.object({
      jobs: z
        .array(
          z.object({
            provider: z.string(),
            id: z.string().describe("the provider's own id"),
            kind: z.string(),
            state: z.string(),
            created_at: z.string(),
            age: z.number().describe("in seconds"),
            key: z.string().nullable(),
            billed_items: z.number(),
            expected_items: z.number().nullable(),
            fetch: z.string().nullable().describe("the path to GET through the gateway"),
          }),
        )
        .readonly(),
      unbilled: z.object({ items: z.number(), sources: z.number() }),
    }),
    needs: ["database"],
    run: (context, { limit }) => listPending(context, { limit, now: context.now() }),
  }),
}
