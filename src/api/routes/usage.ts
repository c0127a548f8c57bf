import { z } from "zod"
import { toOverviewObject, toReportObject } from "../../operations/usage/json.ts"
import { summarizeUsage } from "../../operations/usage/overview.ts"
import { findPendingRows } from "../../operations/usage/pending-rows.ts"
import { parseDimensions, parseSort } from "../../operations/usage/question.ts"
import { reportUsage, SORTS, type UsageQuestion } from "../../operations/usage/report.ts"
import { defineRoute } from "../_route.ts"
import { FILTERS, parseChoice, toLimit } from "./_usage-input.ts"

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
const row = z.looseObject(measures).describe("the dimensions by name, and the measures")

const head = {
  since: z.string().describe("ISO 8601 with the offset of the time zone"),
  until: z.string(),
  tz: z.string(),
  by: z.array(z.string()),
  filters: z.record(z.string(), z.unknown()),
  rows: z.array(row),
  total: z.object(measures),
  notes: z.array(z.string()).readonly().optional().describe("what a reader of the numbers needs to know"),
  pending_rows: z.number().optional().describe("rows that wait in the journal and are not counted yet"),
}

const question = {
  ...FILTERS,
  sort: z.string().optional().describe(SORTS.join(", ")),
  limit: toLimit(undefined),
}

export const usage = {
  report: defineRoute({
    name: "usage.report",
    method: "GET",
    path: "/usage",
    role: "viewer",
    summary: "what was used and what it cost, by up to two dimensions",
    input: z.strictObject({
      by: z
        .string()
        .optional()
        .describe("model, provider, key, hour, day, week, month, status, outcome, or a metadata name"),
      ...question,
    }),
    output: z.looseObject({ ...head, groups: z.number().describe("the number of rows without the limit") }),
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
      const pendingRows = await findPendingRows(context)
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
    output: z.looseObject({
      ...head,
      before: z.object(measures).describe("the total of the period of the same length before"),
      days: z.array(row),
      models: z.array(row),
      keys: z.array(row),
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
      const pendingRows = await findPendingRows(context)
      return toOverviewObject(await summarizeUsage({ ...context, now: () => now }, question), { now, pendingRows })
    },
  }),
}
