import type { LimitStats } from "../../limits/index.ts"
import type { Metric } from "../prometheus.ts"

/** A gateway with more limits reports the first ones, so that the number of series stays bounded. */
const MOST_LIMITS = 200

/** The names of limits are chosen by the operator: nothing that a client sends becomes a label. */
export function toLimitMetrics(all: readonly LimitStats[]): Metric[] {
  const limits = all.slice(0, MOST_LIMITS)
  if (limits.length === 0) return []
  return [
    {
      name: "majordomo_limit_used_ratio",
      type: "gauge",
      help: "The used part of a limit in its present window, of the value of its `per` that has used most.",
      samples: limits.flatMap(({ limit, usedRatio }) =>
        usedRatio === undefined ? [] : [{ labels: { limit }, value: usedRatio }],
      ),
      together: "max",
    },
    {
      name: "majordomo_limit_rejections_total",
      type: "counter",
      help: "Requests that a limit has rejected.",
      samples: limits.map(({ limit, rejections }) => ({ labels: { limit }, value: rejections })),
    },
  ]
}
