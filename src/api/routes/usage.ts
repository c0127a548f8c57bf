import { z } from "zod"
import { InputError } from "../../operations/input-error.ts"
import { toEmptyField } from "../../operations/usage/empty.ts"
import { type ErrorQuestion, reportErrors, toErrorsObject } from "../../operations/usage/errors.ts"
import { toOverviewObject, toReportObject } from "../../operations/usage/json.ts"
import {
  LATENCY_SORTS,
  type LatencyReportQuestion,
  measureLatency,
  toLatencyObject,
} from "../../operations/usage/latency.ts"
import { notePendingRows } from "../../operations/usage/note-pending-rows.ts"
import { summarizeUsage } from "../../operations/usage/overview.ts"
import { listPending } from "../../operations/usage/pending.ts"
import { COMPARISONS, parseComparison, parseDimensions, parseSort } from "../../operations/usage/question.ts"
import { reportUsage, SORTS, type UsageQuestion } from "../../operations/usage/report.ts"
import { defineRoute, FROM_REPLICA } from "../_route.ts"
import { FILTERS, OPTIONAL_LIMIT, parseChoice, toLimit } from "./_usage-input.ts"
import { edges, head, latency, rate, report, rows, total } from "./_usage-output.ts"

const question = {
  ...FILTERS,
  sort: z.string().optional().describe(SORTS.join(", ")),
  limit: OPTIONAL_LIMIT,
}
const compare = z.string().optional().describe(`the period to compare with: ${COMPARISONS}`)
const by = z
  .string()
  .optional()
  .describe("model, provider, key, hour, day, week, month, status, outcome, billing, source, or a metadata name")

type QuestionInput = Parameters<typeof parseChoice>[0] & {
  readonly by?: string | undefined
  readonly sort?: string | undefined
  readonly limit?: number | undefined
}

/** @throws InputError for a parameter that is not valid */
function parseQuestion<Sort extends string>(
  { by, sort, limit, ...choice }: QuestionInput,
  now: number,
  sorts: readonly Sort[],
) {
  return {
    by: parseDimensions(by),
    ...parseChoice(choice, now, "30d"),
    sort: parseSort(sort, sorts),
    limit,
  }
}

/** @throws InputError for a parameter that is not valid */
function parseUsage({ compare, ...input }: QuestionInput & { readonly compare?: string | undefined }, now: number) {
  const question: UsageQuestion = parseQuestion(input, now, SORTS)
  if (compare === undefined) return question
  if (question.by.some(({ order }) => order === "time"))
    throw new InputError("compare", "expected a report by something else than times, which two periods do not share")
  return { ...question, comparedWith: parseComparison(compare, question.period, now) }
}

export const usage = {
  report: defineRoute({
    name: "usage.report",
    method: "GET",
    path: "/usage",
    role: "viewer",
    summary: "what was used and what it cost, by up to two dimensions",
    input: z.strictObject({ by, ...question, compare }),
    output: report,
    ...FROM_REPLICA,
    parse: parseUsage,
    async run(context, question) {
      const now = context.now()
      // Before the report, so that a row that is written in between is counted twice rather than not at all.
      const pendingRows = await notePendingRows(context)
      const { rollups, ...report } = await reportUsage(context, question)
      const found = { requests: report.answer.total.requests, question, rollups }
      return { ...toReportObject({ ...report, question, now, pendingRows }), ...(await toEmptyField(context, found)) }
    },
  }),
  overview: defineRoute({
    name: "usage.overview",
    method: "GET",
    path: "/usage/overview",
    role: "viewer",
    summary: "a period at a glance: its total and the one before, its days, its models and keys",
    input: z.strictObject({ ...question, compare }),
    output: report.extend({
      compared_with: edges,
      before: total.describe(
        "the total of the period that it is compared with: the one before, unless another is given",
      ),
      days: rows,
      models: rows,
      keys: rows,
      model_count: z.number(),
      key_count: z.number(),
      metadata: z
        .array(z.object({ name: z.string(), rows, count: z.number() }))
        .readonly()
        .describe("the features and the users with the highest cost, if requests have them, and how many there are"),
      unpriced_models: z.array(z.string()).readonly(),
    }),
    ...FROM_REPLICA,
    parse: parseUsage,
    async run(context, question) {
      const now = context.now()
      const pendingRows = await notePendingRows(context)
      const overview = await summarizeUsage({ ...context, now: () => now }, question)
      const { current, rollups } = overview
      const found = { requests: current.total.requests, question, rollups }
      return { ...toOverviewObject(overview, { now, pendingRows }), ...(await toEmptyField(context, found)) }
    },
  }),
  latency: defineRoute({
    name: "usage.latency",
    method: "GET",
    path: "/usage/latency",
    role: "viewer",
    summary: "how long requests took, as percentiles",
    input: z.strictObject({ by, ...question, sort: z.string().optional().describe(LATENCY_SORTS.join(", ")) }),
    output: z.object({
      ...head,
      rows: z.array(z.looseObject(latency)).readonly(),
      total: z.object(latency),
      approximate: z.boolean().describe("the percentiles come from histograms: they are at most 5 % off"),
    }),
    ...FROM_REPLICA,
    parse: (input, now): LatencyReportQuestion => parseQuestion(input, now, LATENCY_SORTS),
    async run(context, question) {
      const now = context.now()
      const pendingRows = await notePendingRows(context)
      const report = await measureLatency(context, question)
      const found = { requests: report.total.requests, question, rollups: report.rollups }
      return { ...toLatencyObject(report, { question, now, pendingRows }), ...(await toEmptyField(context, found)) }
    },
  }),
  errors: defineRoute({
    name: "usage.errors",
    method: "GET",
    path: "/usage/errors",
    role: "viewer",
    summary: "the rate of errors, and what they say",
    input: z.strictObject({ by, ...FILTERS, limit: toLimit(50) }),
    output: z.object({
      ...head,
      rows: z
        .array(
          z.looseObject({
            status_code: z.number(),
            outcome: z.string(),
            error: z.string().nullable(),
            requests: z.number(),
            last_at: z.string(),
          }),
        )
        .readonly()
        .describe("the kinds of errors; groups counts them without the limit"),
      rates: z.array(z.looseObject(rate)).readonly(),
      total: z.object(rate),
    }),
    ...FROM_REPLICA,
    parse: ({ by, limit, ...choice }, now): ErrorQuestion => ({
      by: parseDimensions(by),
      ...parseChoice(choice, now, "30d"),
      limit,
    }),
    async run(context, question) {
      const now = context.now()
      const pendingRows = await notePendingRows(context)
      const report = await reportErrors(context, question)
      const found = { requests: report.rates.total.requests, question, rollups: report.rollups }
      return { ...toErrorsObject(report, { question, now, pendingRows }), ...(await toEmptyField(context, found)) }
    },
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
    ...FROM_REPLICA,
    run: (context, { limit }) => listPending(context, { limit, now: context.now() }),
  }),
}
