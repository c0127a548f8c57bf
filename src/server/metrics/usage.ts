import type { Database } from "../../database/_database.ts"
import { readUsageSums, type UsageSum } from "../../database/usage-sums.ts"
import type { Metric, Sample } from "../prometheus.ts"

/** Sums are not read more often than this, however many programs scrape. */
const MAX_AGE_MS = 5_000
const MOST_MODELS = 100
const NONE = "(none)"
const PERIODS = ["day", "month"] as const

interface UsageMetrics {
  /** Returns the sums that the last scrapes have caused to be read. */
  collect(): readonly Metric[]
}

/**
 * The sums that the database has of the present day and month. Counters of a process cannot have them: costs change
 * afterwards, rows are taken back when they turn out to be reported twice, and a process ends with what was not scraped.
 *
 * A scrape does not wait for the database. It shows what was read after the scrape before it, and nothing if that failed.
 */
export function createUsageMetrics(database: Database, now: () => number): UsageMetrics {
  let sums: readonly UsageSum[] = []
  let readAt = Number.NEGATIVE_INFINITY
  let isReading = false

  async function read(): Promise<void> {
    isReading = true
    readAt = now()
    sums = await readUsageSums(database, { at: readAt, most: MOST_MODELS }).catch(() => [])
    isReading = false
  }

  return {
    collect() {
      if (!isReading && Math.abs(now() - readAt) >= MAX_AGE_MS) void read()
      return toUsageMetrics(sums)
    },
  }
}

export function toUsageMetrics(sums: readonly UsageSum[]): Metric[] {
  return GAUGES.map(({ name, help, toSample }): Metric => {
    const samples = sums.flatMap((sum) =>
      PERIODS.map((period) => {
        const labels = { period, provider: sum.provider, model: sum.model || NONE }
        return { labels, ...toSample(sum[period]) }
      }),
    )
    return { name, type: "gauge", help, samples, together: "max" }
  })
}

interface UsageGauge {
  readonly name: string
  readonly help: string
  toSample(sums: UsageSum["day"]): Pick<Sample, "value" | "decimal">
}

const WHERE =
  "in the present day or month (UTC), as `usage` says: with batches, repricing and all gateways of the database"

const GAUGES: readonly UsageGauge[] = [
  {
    name: "majordomo_usage_cost_usd",
    help: `What providers bill for the requests ${WHERE}, in USD.`,
    toSample: ({ cost }) => ({ value: Number(cost), decimal: cost }),
  },
  {
    name: "majordomo_usage_requests",
    help: `The requests ${WHERE}.`,
    toSample: ({ requests }) => ({ value: requests }),
  },
  {
    name: "majordomo_usage_unpriced_requests",
    help: `The requests without a known price ${WHERE}.`,
    toSample: ({ unpriced }) => ({ value: unpriced }),
  },
]
