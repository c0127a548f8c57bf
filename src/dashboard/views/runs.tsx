import { useState } from "preact/hooks"
import { useQuery } from "../kit/query.ts"
import { type Question, useQuestion, withParams } from "../kit/question.ts"
import type { RunSummary } from "../kit/run.ts"
import { Card } from "../parts/card.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { type Column, Table } from "../parts/table.tsx"
import { Count, Duration, Moment, Money } from "../parts/value.tsx"

const PAGE = 50
/** The newest runs are found at once. In any other order, all runs of the period are added up first, which takes longer. */
const DEFAULT_SORT = "time"

/** Agent runs: the requests of one trace, or of one session. */
export function Runs() {
  const question = useQuestion()
  const { input, params, hrefOf } = question
  const sort = params.get("sort") ?? DEFAULT_SORT
  const [limit, setLimit] = useState(PAGE)
  const runs = useQuery<readonly RunSummary[]>("/runs", { ...input, sort, limit })
  const hasMore = runs.data?.length === limit
  const title = hasMore ? `The ${sort === DEFAULT_SORT ? "newest" : "first"} ${limit} runs` : "All runs of the period"
  const isAddingUp = runs.isLoading && sort !== DEFAULT_SORT
  if (runs.problem) return <Failure problem={runs.problem} retry={runs.reload} />
  return (
    <Card title={<span role="status">{isAddingUp ? "Adding up all runs of the period …" : title}</span>}>
      {runs.data === undefined && <Skeleton lines={16} />}
      {runs.data?.length === 0 && (
        <Empty title="No runs in this period">
          <p>
            Requests with the same trace or session are one run. Traced programs and many agents name theirs; any other
            program can send <code>X-Majordomo-Trace-Id</code>. <code>X-Majordomo-Span-Path</code> says where in the run
            a request is.
          </p>
        </Empty>
      )}
      {runs.data !== undefined && runs.data.length > 0 && (
        <Table
          label="Runs"
          columns={toColumns(question, sort)}
          rows={runs.data}
          keyOf={({ trace }) => trace}
          hrefOf={({ trace }) => hrefOf("run", { trace })}
          isStale={runs.isLoading}
        />
      )}
      {hasMore && (
        <div class="more">
          <button type="button" class="button" onClick={() => setLimit(limit * 3)}>
            Show more
          </button>
        </div>
      )}
    </Card>
  )
}

/** The cost of a run. What a subscription pays for says so below, because it is on no bill. */
function Cost({ run }: { readonly run: RunSummary }) {
  const { requests, unpriced, total_cost, subscription_requests, subscription_value } = run
  const isBilled = requests > subscription_requests
  const cost = <Money usd={total_cost} unpriced={isBilled ? unpriced : 0} />
  if (subscription_requests === 0) return cost
  return (
    <span class="stack" title="A subscription pays for these requests. The amount is what the API would have charged.">
      {isBilled ? cost : <Money usd={subscription_value} />}
      <small class="quiet">{isBilled && <Money usd={subscription_value} />} subscription</small>
    </span>
  )
}

function toColumns({ tz, params, href }: Question, sort: string): Column<RunSummary>[] {
  const sorted = (name: string) => ({
    sortHref: href(withParams(params, { sort: name === DEFAULT_SORT ? undefined : name })),
    isSorted: sort === name,
  })
  return [
    { title: "Run", cell: ({ trace }) => <bdi title={trace}>{trace}</bdi>, isWide: true },
    { title: "Ended", cell: ({ last }) => <Moment iso={last} tz={tz} />, hide: "m", ...sorted("time") },
    {
      title: "Duration",
      cell: ({ duration_ms }) => <Duration ms={duration_ms} />,
      isNumber: true,
      hide: "m",
      ...sorted("duration"),
    },
    { title: "Requests", cell: ({ requests }) => <Count value={requests} />, isNumber: true, ...sorted("requests") },
    {
      title: "Errors",
      cell: ({ errors }) => (errors === 0 ? "" : <span class="mark mark-bad">{errors}</span>),
      isNumber: true,
      hide: "m",
      ...sorted("errors"),
    },
    {
      title: "Tokens",
      cell: (run) => <Count value={run.input_tokens + run.output_tokens} />,
      isNumber: true,
      hide: "l",
    },
    {
      title: "Cost",
      cell: (run) => <Cost run={run} />,
      isNumber: true,
      ...sorted("cost"),
    },
  ]
}
