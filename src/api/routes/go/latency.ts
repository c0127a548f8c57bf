import { z } from "zod"
import { type LatencyRow, measureLatency } from "../../../operations/usage/latency.ts"
import { parseDimensions } from "../../../operations/usage/question.ts"
import { defineRoute, FROM_REPLICA } from "../../_route.ts"
import { parseChoice, QUESTION } from "./_question.ts"

const ms = z.number().nullable().describe("milliseconds; null: no request has a latency")
const percentiles = {
  avg_latency_ms: z.null().describe("not known: an average says little about latencies"),
  p50_latency_ms: ms,
  p95_latency_ms: ms,
  p99_latency_ms: ms,
}

export const latency = {
  report: defineRoute({
    name: "go.latency",
    method: "POST",
    path: "/usage/latency",
    role: "viewer",
    summary: "how long requests took, in all and by day, as the Go gateway gives it",
    input: z.object(QUESTION),
    output: z.object({
      ...percentiles,
      daily: z.array(z.object({ date: z.string(), ...percentiles })),
      approximate: z.boolean().describe("the percentiles are at most 5 % above or below the true ones"),
    }),
    ...FROM_REPLICA,
    parse: parseChoice,
    async run(context, choice) {
      const { rows, total, approximate } = await measureLatency(context, { ...choice, by: parseDimensions("day") })
      const daily = rows.map((row) => ({ date: String(row.values[0]), ...toPercentiles(row) }))
      return { ...toPercentiles(total), daily, approximate }
    },
  }),
}

function toPercentiles({ p50_ms, p95_ms, p99_ms }: Pick<LatencyRow, "p50_ms" | "p95_ms" | "p99_ms">) {
  return { avg_latency_ms: null, p50_latency_ms: p50_ms, p95_latency_ms: p95_ms, p99_latency_ms: p99_ms }
}
