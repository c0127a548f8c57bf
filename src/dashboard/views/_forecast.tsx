import { useQuery } from "../kit/query.ts"
import type { Question } from "../kit/question.ts"
import type { UsageReport } from "../kit/usage.ts"
import { Skeleton } from "../parts/states.tsx"
import { Money } from "../parts/value.tsx"

const DAY_MS = 86_400_000

/** The cost of this month so far, and at its end if the last 7 days are like the rest of it. */
export function Forecast({ question: { input } }: { readonly question: Question }) {
  const month = useQuery<UsageReport>("/usage", { ...input, since: "month", until: undefined })
  const week = useQuery<UsageReport>("/usage", { ...input, since: "7d", until: undefined })
  if (month.problem || week.problem) return null
  if (month.data === undefined || week.data === undefined) {
    return (
      <div class="forecast">
        <Skeleton />
      </div>
    )
  }
  const forecast = toForecast(month.data, week.data)
  return (
    <p class="forecast">
      <span>
        This month so far{" "}
        <strong>
          <Money usd={month.data.total.total_cost} unpriced={month.data.total.unpriced} />
        </strong>
      </span>
      <span>
        At its end, at the pace of the last 7 days{" "}
        <strong>
          <Money usd={forecast.toFixed(6)} />
        </strong>
      </span>
    </p>
  )
}

function toForecast(month: UsageReport, week: UsageReport): number {
  const wall = (iso: string) => Date.parse(`${iso.slice(0, 19)}Z`)
  const [now, first] = [wall(month.until), new Date(wall(month.since))]
  const end = Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 1)
  const pace = Number(week.total.total_cost ?? 0) / Math.max(1, wall(week.until) - wall(week.since))
  return Number(month.total.total_cost ?? 0) + pace * Math.max(0, Math.min(end - now, 31 * DAY_MS))
}
