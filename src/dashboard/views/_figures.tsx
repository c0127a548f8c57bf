import { formatCompact, formatCount, formatDuration, formatMoney, formatShare, toChange } from "../kit/format.ts"
import { useQuery } from "../kit/query.ts"
import { type Question, withParams } from "../kit/question.ts"
import type { Timeline } from "../kit/series.ts"
import { type LatencyReport, METRICS, type Measures, type Metric } from "../kit/usage.ts"
import { Tile } from "../parts/tile.tsx"
import { Money } from "../parts/value.tsx"

interface FiguresProps {
  readonly question: Question
  readonly timeline: Timeline
  readonly metric: Metric
}

/** The figures of the period, each with the one before. Those that the chart can show are links. */
export function Figures({ question, timeline: { report, before }, metric }: FiguresProps) {
  const latency = useQuery<LatencyReport>("/usage/latency", question.input)
  const total = report.data?.total ?? NOTHING
  // Nothing can be compared with a period without requests.
  const earlier = before.data?.total.requests ? before.data.total : undefined
  const show = (shown: Metric) => ({
    href: question.href(withParams(question.params, { metric: shown === "cost" ? undefined : shown })),
    isCurrent: metric === shown,
    isLoading: report.data === undefined,
    change: toChange(METRICS[shown].of(total), earlier && METRICS[shown].of(earlier)),
  })
  const errorRate = rateOf(total)
  const { change: _change, ...errors } = show("errors")
  return (
    <div class="tiles">
      <Tile
        title="Cost"
        {...show("cost")}
        value={<Money usd={total.total_cost} unpriced={total.unpriced} />}
        note={earlier && `from ${formatMoney(earlier.total_cost)}`}
      />
      {total.subscription_requests > 0 && (
        <Tile
          title="API value"
          isLoading={report.data === undefined}
          value={<Money usd={total.subscription_value} />}
          note={
            <span title={`${formatCount(total.subscription_requests)} requests, not part of the cost`}>
              of subscriptions
            </span>
          }
        />
      )}
      <Tile
        title="Requests"
        {...show("requests")}
        value={formatCount(total.requests)}
        note={earlier && `from ${formatCount(earlier.requests)}`}
      />
      <Tile
        title="Tokens"
        {...show("tokens")}
        value={<span title={toTokenTitle(total)}>{formatCompact(METRICS.tokens.of(total))}</span>}
        note={earlier && `from ${formatCompact(METRICS.tokens.of(earlier))}`}
      />
      <Tile
        title="Errors"
        {...errors}
        value={
          <span title={`${formatCount(total.errors)} of ${formatCount(total.requests)} requests`}>
            {formatShare(errorRate)}
          </span>
        }
        note={earlier ? `from ${formatShare(rateOf(earlier))}` : formatCount(total.errors)}
      />
      <Tile
        title="Latency p50"
        isLoading={latency.data === undefined && latency.problem === undefined}
        value={formatDuration(latency.data?.total.p50_ms)}
        note={latency.data ? `p95 ${formatDuration(latency.data.total.p95_ms)}` : "not measured"}
      />
      <Tile
        title="Exact cost"
        isLoading={report.data === undefined}
        value={formatShare(exactOf(total))}
        note={<span title={toDoubt(total)}>{toRest(total)}</span>}
      />
    </div>
  )
}

const NOTHING: Measures = {
  requests: 0,
  errors: 0,
  input_tokens: 0,
  cached_tokens: 0,
  cache_creation_tokens: 0,
  output_tokens: 0,
  total_cost: "0",
  share: 0,
  exact: 0,
  estimated: 0,
  unpriced: 0,
  subscription_requests: 0,
  subscription_value: "0",
}

const rateOf = ({ errors, requests }: Measures) => (requests === 0 ? 0 : errors / requests)
const exactOf = ({ exact, requests }: Measures) => (requests === 0 ? 1 : exact / requests)

function toRest({ estimated, unpriced }: Measures): string {
  return estimated + unpriced === 0 ? "of all requests" : `${formatCount(estimated + unpriced)} are not exact`
}

function toDoubt({ estimated, unpriced }: Measures): string {
  const parts = [
    unpriced > 0 && `${formatCount(unpriced)} unpriced`,
    estimated > 0 && `${formatCount(estimated)} estimated`,
  ]
  return parts.filter(Boolean).join(", ")
}

function toTokenTitle({ input_tokens, cached_tokens, cache_creation_tokens, output_tokens }: Measures): string {
  return [
    `${formatCount(input_tokens)} input`,
    `of which ${formatCount(cached_tokens)} from the cache and ${formatCount(cache_creation_tokens)} written to it`,
    `${formatCount(output_tokens)} output`,
  ].join(", ")
}
