import { z } from "zod"
import { getRun } from "../../../operations/runs/get.ts"
import { listAndCountRuns, type Run } from "../../../operations/runs/list.ts"
import { defineRoute, FROM_REPLICA } from "../../_route.ts"
import { toUsd, usd } from "./_money.ts"
import { parseChoice, parsePage, QUESTION } from "./_question.ts"
import { toRunNode } from "./_run-tree.ts"

const run = z.object({
  trace_id: z.string(),
  label: z.string(),
  request_count: z.number(),
  input_tokens: z.number(),
  output_tokens: z.number(),
  cached_tokens: z.number(),
  cache_creation_tokens: z.number(),
  total_cost: usd,
  started_at: z.string(),
  ended_at: z.string(),
  unpriced_requests: z.number(),
})

const node = z
  .looseObject({
    span_id: z.string(),
    parent_span_id: z.string().optional(),
    name: z.string(),
    path: z.string(),
    kind: z.enum(["run", "step", "llm"]),
    self_cost: usd,
    total_cost: usd,
    request_count: z.number(),
    children: z.array(z.looseObject({ span_id: z.string() })).readonly(),
  })
  .describe("a node of the run; its children are such nodes, and those of the kind llm are requests")

export const runs = {
  list: defineRoute({
    name: "go.runs",
    method: "POST",
    path: "/usage/runs",
    role: "viewer",
    summary: "agent runs, the newest first, as the Go gateway gives them",
    input: z.object(QUESTION),
    output: z.object({ runs: z.array(run), numRecords: z.number().describe("the number of all runs of the period") }),
    ...FROM_REPLICA,
    parse: (body, now) => ({ ...parseChoice(body, now), ...parsePage(body, { initial: 50, max: 200 }) }),
    async run(context, { offset, limit, ...choice }) {
      const { runs, total } = await listAndCountRuns(context, { ...choice, limit: offset + limit, withLabels: true })
      return { runs: runs.slice(offset).map(toRun), numRecords: total }
    },
  }),
  get: defineRoute({
    name: "go.run",
    method: "GET",
    path: "/usage/runs/{trace}",
    role: "viewer",
    summary: "one agent run as a tree, as the Go gateway gives it",
    input: z.object({ trace: z.string() }),
    output: z.object({
      trace_id: z.string(),
      root: node,
      total_cost: usd,
      request_count: z.number(),
      started_at: z.string(),
      ended_at: z.string(),
      truncated: z.literal(false),
    }),
    ...FROM_REPLICA,
    async run(context, input) {
      const { trace, root } = await getRun(context, input)
      return {
        trace_id: trace,
        root: toRunNode(trace, root),
        total_cost: toUsd(root.cost),
        request_count: root.requests,
        started_at: new Date(root.since).toISOString(),
        ended_at: new Date(root.until).toISOString(),
        truncated: false as const,
      }
    },
  }),
}

function toRun(run: Run) {
  return {
    trace_id: run.trace,
    label: run.label ?? "",
    request_count: run.requests,
    input_tokens: run.input_tokens,
    output_tokens: run.output_tokens,
    cached_tokens: run.cached_tokens,
    cache_creation_tokens: run.cache_creation_tokens,
    total_cost: toUsd(run.total_cost),
    started_at: run.first,
    ended_at: run.last,
    unpriced_requests: run.unpriced,
  }
}
