import { formatDuration } from "../kit/format.ts"
import { useQuery } from "../kit/query.ts"
import { type Question, useQuestion, withFilter } from "../kit/question.ts"
import { listLines, type Run as RunObject, type WaterfallLine } from "../kit/run.ts"
import { Card, Facts } from "../parts/card.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { Count, Duration, Moment, Money } from "../parts/value.tsx"

/** One agent run as a waterfall: what happened when, and what it cost. */
export function Run() {
  const question = useQuestion()
  const { params, hrefOf } = question
  const trace = params.get("trace") ?? ""
  const run = useQuery<RunObject>(trace === "" ? undefined : `/runs/${encodeURIComponent(trace)}`)
  if (trace === "") return <Empty title="The address has no trace id" />
  if (run.problem) return <Failure problem={run.problem} retry={run.reload} />
  const { data } = run
  const name = data?.kind === "session" ? "Session-Id" : "Trace-Id"
  const filter = Object.fromEntries(withFilter(new URLSearchParams(), { name, value: trace }))
  return (
    <>
      <Card
        title={<bdi class="id">{trace}</bdi>}
        actions={
          <a class="button" href={hrefOf("requests", filter)}>
            Its requests
          </a>
        }
      >
        {data === undefined ? <Skeleton lines={2} /> : <RunFacts run={data} question={question} />}
      </Card>
      <Card title="What happened when">
        {data === undefined ? <Skeleton lines={10} /> : <Waterfall run={data} question={question} />}
      </Card>
    </>
  )
}

interface RunProps {
  readonly run: RunObject
  readonly question: Question
}

function RunFacts({ run, question: { tz } }: RunProps) {
  return (
    <Facts
      items={[
        [
          "Cost",
          <strong key="cost">
            <Money usd={run.total_cost} digits={4} unpriced={run.unpriced} />
          </strong>,
        ],
        ["Duration", <Duration key="duration" ms={run.duration_ms} />],
        ["Began", <Moment key="first" iso={run.first} tz={tz} />],
        ["Requests", <Count key="requests" value={run.requests} />],
        ["Errors", <Count key="errors" value={run.errors} />],
        ["Tokens", <Count key="tokens" value={run.input_tokens + run.output_tokens} />],
        ["Unpriced", run.unpriced === 0 ? undefined : <Count key="unpriced" value={run.unpriced} />],
      ]}
    />
  )
}

function Waterfall({ run, question }: RunProps) {
  const lines = listLines(run)
  const start = Date.parse(run.first)
  const length = Math.max(1, Date.parse(run.last) - start)
  return (
    <div class="table-box">
      <table class="table waterfall">
        <caption class="hidden">Spans and requests of the run</caption>
        <thead>
          <tr>
            <th scope="col">Span</th>
            <th scope="col" class="hide-l">
              Model
            </th>
            <th scope="col" class="time-axis">
              <span>0 s</span>
              <span class="hide-m">{formatDuration(length / 2)}</span>
              <span>{formatDuration(length)}</span>
            </th>
            <th scope="col" class="right hide-m">
              Duration
            </th>
            <th scope="col" class="right hide-l">
              Tokens
            </th>
            <th scope="col" class="right">
              Cost
            </th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <Line key={line.key} line={line} start={start} length={length} question={question} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

const MAX_INDENT = 6

interface LineProps {
  readonly line: WaterfallLine
  readonly start: number
  readonly length: number
  readonly question: Question
}

function Line({ line, start, length, question: { hrefOf, params } }: LineProps) {
  const { id, name, depth } = line
  const at = {
    left: `${((line.start - start) / length) * 100}%`,
    width: `${((line.end - line.start) / length) * 100}%`,
  }
  const text = (
    <bdi class="cut" title={name}>
      {name}
    </bdi>
  )
  return (
    <tr
      class={id === undefined ? "is-span" : "is-link"}
      aria-current={id !== undefined && id === params.get("id") ? "true" : undefined}
    >
      <td style={{ paddingLeft: `${8 + Math.min(depth, MAX_INDENT) * 16}px` }}>
        {id === undefined ? (
          text
        ) : (
          <a class="row-link" data-row href={hrefOf("request", { id })}>
            {text}
          </a>
        )}
      </td>
      <td class="hide-l">
        {line.model && (
          <bdi class="cut quiet" title={line.model}>
            {line.model}
          </bdi>
        )}
      </td>
      <td class="time-line">
        <i class={line.isError ? "is-bad" : undefined} style={at} />
      </td>
      <td class="right hide-m">
        <Duration ms={line.end - line.start} />
      </td>
      <td class="right hide-l">
        <Count value={line.tokens} />
      </td>
      <td class="right">
        <Money usd={line.cost} digits={4} />
      </td>
    </tr>
  )
}
