import { forecast, formatAmount, formatWait, type Limit, toParts } from "../kit/limits.ts"
import { useQuery } from "../kit/query.ts"
import type { Question } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { UseBar } from "../parts/use-bar.tsx"

const MOST = 5

/** The limits on cost, the nearest to its amount first, with what they come to at the present pace. */
export function Budgets({ question: { hrefOf } }: { readonly question: Question }) {
  const { data = [] } = useQuery<readonly Limit[]>("/limits")
  const budgets = data
    .filter(({ measure, window }) => measure === "cost" && window !== "minute" && window !== "hour")
    .sort((a, b) => toParts(b).used - toParts(a).used)
    .slice(0, MOST)
  if (budgets.length === 0) return null
  return (
    <Card title="Budgets" actions={<a href={hrefOf("limits")}>All limits</a>}>
      <ul class="budgets">
        {budgets.map((limit) => (
          <li key={limit.id}>
            <span class="budget-head">
              <a href={hrefOf("limits", { id: limit.id })} title={limit.summary}>
                <bdi>{limit.value_name ? `${limit.name}: ${limit.value_name}` : limit.name}</bdi>
              </a>
              <span class="num">{`${formatAmount(limit, limit.used)} of ${formatAmount(limit, limit.amount)}`}</span>
            </span>
            <UseBar of={limit} />
            <span class="quiet">{describePace(limit)}</span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

/** Says what a budget comes to if the rest of its window is like the part before now. */
function describePace(limit: Limit): string {
  const end = forecast(limit)
  if (limit.resets_at === null) return "It does not reset."
  const reset = `Resets ${formatWait(limit.resets_at)}.`
  if (end === undefined) return reset
  const isOver = end > Number(limit.amount)
  return `${reset} At this pace ${formatAmount(limit, end.toFixed(6))} by then${isOver ? ", which is above it" : ""}.`
}
