import { truncateText } from "../../core/text.ts"
import type { LimitStats } from "../../limits/index.ts"
import type { Labels, Metric, Sample } from "../prometheus.ts"

/** A gateway with more limits reports the first ones, and of these the groups that have used most. */
const MOST_LIMITS = 200
const MOST_GROUPS = 1000
const MAX_VALUE_LENGTH = 128

/**
 * The names of limits are chosen by the operator. The values of a limit's `per` come from clients, so their number is
 * limited.
 */
export function toLimitMetrics(all: readonly LimitStats[]): Metric[] {
  const limits = all.slice(0, MOST_LIMITS)
  if (limits.length === 0) return []
  const groups = limits.flatMap((each) => each.groups.map((group) => toUsed(each, group))).slice(0, MOST_GROUPS)
  return [
    {
      name: "majordomo_limit_amount",
      type: "gauge",
      help: "The amount of a limit, in USD for the measure cost, else in requests or tokens.",
      samples: limits.map(({ limit, amount }) => toSample(amount, { limit: limit.name, measure: limit.measure })),
      together: "max",
    },
    {
      name: "majordomo_limit_used",
      type: "gauge",
      help:
        "What was used of a limit in its present window, in the unit of its amount, as far as this gateway knows. One with " +
        "`per` has a sample for each of the 20 values that have used most.",
      samples: groups,
      together: "max",
    },
    {
      name: "majordomo_limit_used_ratio",
      type: "gauge",
      help: "The used part of a limit in its present window, of the value of its `per` that has used most.",
      samples: limits.flatMap(({ limit, usedRatio }) =>
        usedRatio === undefined ? [] : [{ labels: { limit: limit.name }, value: usedRatio }],
      ),
      together: "max",
    },
    {
      name: "majordomo_limit_rejections_total",
      type: "counter",
      help: "Requests that a limit has rejected.",
      samples: limits.map(({ limit, rejections }) => ({ labels: { limit: limit.name }, value: rejections })),
    },
  ]
}

function toUsed({ limit }: LimitStats, { value, used }: LimitStats["groups"][number]): Sample {
  const labels = { limit: limit.name, measure: limit.measure }
  if (limit.per === undefined) return toSample(used, labels)
  return toSample(used, { ...labels, value: value === "" ? "(none)" : truncateText(value, MAX_VALUE_LENGTH) })
}

function toSample(decimal: string, labels: Labels): Sample {
  return { labels, value: Number(decimal), decimal }
}
