import { useMetadataNames } from "../kit/find.ts"
import { DEFAULT_SINCE, useQuestion } from "../kit/question.ts"
import { guessInterval, useTimeline } from "../kit/series.ts"
import { DIMENSIONS, METRICS, type Metric } from "../kit/usage.ts"
import { Breakdown } from "../parts/breakdown.tsx"
import { Empty, Failure } from "../parts/states.tsx"
import { Budgets } from "./_budgets.tsx"
import { Figures } from "./_figures.tsx"
import { Forecast } from "./_forecast.tsx"
import { OverTime } from "./_over-time.tsx"

/** What it cost, and who spent it. */
export function Overview() {
  const question = useQuestion()
  const { params, filters } = question
  const names = useMetadataNames().map(({ name }) => name)
  const choices = [...DIMENSIONS, ...names]
  const split = params.get("split") ?? pickSplit(filters.map(({ name }) => name))
  const metric = toMetric(params.get("metric"))
  const interval = guessInterval(params, DEFAULT_SINCE)
  const timeline = useTimeline(question, interval, split === "none" ? undefined : split)
  const { report } = timeline
  if (report.problem) return <Failure problem={report.problem} retry={report.reload} />
  const cards = toCards(params, names)
  return (
    <>
      <section class="card main-card" aria-label="The period">
        <Figures question={question} timeline={timeline} metric={metric} />
        <OverTime
          question={question}
          timeline={timeline}
          metric={metric}
          interval={interval}
          split={split}
          choices={choices}
        />
        <Forecast question={question} />
      </section>
      <Notes notes={report.data?.notes} pending={report.data?.pending_rows} />
      {report.data?.total.requests === 0 ? (
        <NoRequests isFiltered={filters.length > 0} />
      ) : (
        <div class="cards">
          {cards.map(({ slot, dimension }) => (
            <Breakdown
              key={slot}
              question={question}
              dimension={dimension}
              choices={choices}
              slot={slot}
              metric={metric}
              bounds={report.data}
            />
          ))}
          <Budgets question={question} />
        </div>
      )}
    </>
  )
}

/** The dimension that splits the chart, if the reader chose none: the first one that is not filtered. */
function pickSplit(filtered: readonly string[]): string {
  return ["model", "key", "provider"].find((name) => !filtered.includes(name)) ?? "none"
}

function toMetric(text: string | null): Metric {
  return text !== null && text in METRICS ? (text as Metric) : "cost"
}

/** The names that the gateway reads from requests by itself. Sessions and spans have views of their own. */
const AUTOMATIC = ["Client", "User-Id", "Session-Id", "Trace-Id", "Span-Path", "Span-Name", "Retry-Count"]
const SLOTS = ["a", "b", "c", "d", "e", "f"]

/** The dimensions of the cards: the reader's choice, or those that say most. */
function toCards(params: URLSearchParams, names: readonly string[]) {
  const ours = ["Client", "User-Id"].filter((name) => names.includes(name))
  const others = names.filter((name) => !AUTOMATIC.includes(name)).slice(0, Math.max(1, 2 - ours.length))
  const initial = ["model", "key", ...ours, ...others, "provider", "status"].slice(0, SLOTS.length)
  return initial.map((dimension, i) => ({ slot: SLOTS[i]!, dimension: params.get(SLOTS[i]!) ?? dimension }))
}

function Notes({ notes = [], pending = 0 }: { readonly notes?: readonly string[]; readonly pending?: number }) {
  const waiting = pending > 0 ? [`${pending} rows wait in the journal and are not counted yet.`] : []
  const all = [...notes, ...waiting]
  if (all.length === 0) return null
  return (
    <ul class="notes">
      {all.map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  )
}

function NoRequests({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) return <Empty title="No requests match">Remove a filter, or choose a longer period.</Empty>
  return (
    <Empty title="No requests in this period">
      <p>Choose a longer period, or send a request through the gateway:</p>
      <pre>
        {`curl ${window.location.origin}/v1/chat/completions -H "X-Majordomo-Key: YOUR_KEY" \\
  -H "Authorization: Bearer YOUR_PROVIDER_KEY" -H "Content-Type: application/json" \\
  -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Say hello"}]}'`}
      </pre>
    </Empty>
  )
}
