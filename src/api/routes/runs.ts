import { z } from "zod"
import { getRun, type RunObject, toRunObject } from "../../operations/runs/get.ts"
import { listRuns, RUN_SORTS } from "../../operations/runs/list.ts"
import { notePendingRows } from "../../operations/usage/note-pending-rows.ts"
import { parseSort } from "../../operations/usage/question.ts"
import { defineRoute, FROM_REPLICA } from "../_route.ts"
import { FILTERS, parseChoice, SUBSCRIPTION_VALUE, toLimit } from "./_usage-input.ts"

const numbers = {
  requests: z.number(),
  errors: z.number(),
  unpriced: z.number(),
  estimated: z.number(),
  duration_ms: z.number(),
  input_tokens: z.number(),
  output_tokens: z.number(),
  total_cost: z.string().nullable().describe("USD as a plain decimal; null: no price is known"),
  first: z.string().describe("the start of the first request, ISO 8601"),
  last: z.string().describe("the end of the last request"),
  subscription_value: SUBSCRIPTION_VALUE,
}

const run = z.object({
  trace: z.string().describe("the trace id, or the session id of requests without one"),
  ...numbers,
  cached_tokens: z.number(),
  cache_creation_tokens: z.number(),
  subscription_requests: z.number(),
})
const step = z.object({
  id: z.string(),
  name: z.string().nullable(),
  provider: z.string(),
  model: z.string(),
  first: z.string(),
  last: z.string(),
  status_code: z.number(),
  is_error: z.boolean(),
  input_tokens: z.number(),
  output_tokens: z.number(),
  total_cost: z.string().nullable(),
  cost_status: z.string(),
  billing: z.literal("subscription").nullable(),
  subscription_value: SUBSCRIPTION_VALUE,
})
const span: z.ZodObject = z
  .object({
    ...numbers,
    name: z.string().optional(),
    path: z.string().optional(),
    steps: z.array(step).readonly(),
    spans: z.array(z.lazy(() => span)).readonly(),
  })
  .meta({ id: "Span" })

export const runs = {
  list: defineRoute({
    name: "runs.list",
    method: "GET",
    path: "/runs",
    role: "viewer",
    summary: "agent runs: the requests of one trace, or of one session",
    input: z.strictObject({
      ...FILTERS,
      sort: z.string().optional().describe(RUN_SORTS.join(", ")),
      limit: toLimit(20),
    }),
    output: z.array(run).readonly(),
    ...FROM_REPLICA,
    parse: ({ sort, limit, ...choice }, now) => ({
      ...parseChoice(choice, now, "7d"),
      sort: parseSort(sort, RUN_SORTS),
      limit,
    }),
    async run(context, question) {
      await notePendingRows(context)
      return listRuns(context, question)
    },
  }),
  get: defineRoute({
    name: "runs.get",
    method: "GET",
    path: "/runs/{trace}",
    role: "viewer",
    summary: "one agent run as a tree of spans",
    input: z.strictObject({ trace: z.string().describe("a trace id (Trace-Id), or a session id (Session-Id)") }),
    output: span.extend({
      trace: z.string(),
      kind: z.enum(["trace", "session"]).describe("which metadata of its requests the id is"),
    }) as unknown as z.ZodType<RunObject>,
    ...FROM_REPLICA,
    run: async (context, input) => toRunObject(await getRun(context, input)),
  }),
}
