import { useQuery } from "../kit/query.ts"
import type { Question } from "../kit/question.ts"
import { Skeleton } from "../parts/states.tsx"
import { Money } from "../parts/value.tsx"

interface Outlook {
  readonly to_date: string | null
  readonly unpriced: number
  readonly forecast: string | null
  readonly low: string | null
  readonly high: string | null
  readonly weeks: number
}

/** The cost of this month so far, and at its end by the pattern of the last weeks. */
export function Forecast({ question: { input } }: { readonly question: Question }) {
  const { data, problem } = useQuery<Outlook>("/usage/forecast", { ...input, since: undefined, until: undefined })
  if (problem) return null
  if (data === undefined) {
    return (
      <div class="forecast">
        <Skeleton />
      </div>
    )
  }
  return (
    <p class="forecast">
      <span>
        This month so far{" "}
        <strong>
          <Money usd={data.to_date} unpriced={data.unpriced} />
        </strong>
      </span>
      {data.forecast === null ? (
        <span>At its end: not known before there are two weeks of requests</span>
      ) : (
        <span>
          At its end, by the last {data.weeks} weeks{" "}
          <strong>
            <Money usd={data.forecast} />
          </strong>{" "}
          (<Money usd={data.low} /> to <Money usd={data.high} />)
        </span>
      )}
    </p>
  )
}
