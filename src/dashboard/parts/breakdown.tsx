import { formatShare, toChange } from "../kit/format.ts"
import { navigate } from "../kit/location.ts"
import { type Bounds, toComparison } from "../kit/period.ts"
import { useQuery } from "../kit/query.ts"
import { type Question, withFilter, withoutFilter, withParams } from "../kit/question.ts"
import {
  METRICS,
  type Metric,
  readValue,
  TOP_ROWS,
  toPlural,
  toTitle,
  type UsageReport,
  type UsageRow,
} from "../kit/usage.ts"
import { Card } from "./card.tsx"
import { FilterValue } from "./chips.tsx"
import { CsvButton } from "./csv-button.tsx"
import { Choice } from "./form.tsx"
import { Empty, Failure, Skeleton } from "./states.tsx"
import { Change, Count, Money } from "./value.tsx"

interface BreakdownProps {
  readonly question: Question
  readonly dimension: string
  /** The dimensions that the card can show instead. */
  readonly choices: readonly string[]
  /** The parameter of the address that holds the choice. */
  readonly slot: string
  readonly metric: Metric
  /** The bounds of the period, as soon as they are known. */
  readonly bounds: Bounds | undefined
}

/** Rows of the comparison in which the same values are looked up. */
const MAX_COMPARED = 1_000
const SORTS = { cost: "cost", requests: "requests", tokens: "input", errors: "errors" } as const

/** The top values of a dimension. Each row filters the page. With a filter on the dimension, only its value is left. */
export function Breakdown({ question, dimension, choices, slot, metric, bounds }: BreakdownProps) {
  const { filters, params, href, hrefOf } = question
  const filter = filters.find(({ name }) => name === dimension)
  const choose = (chosen: string) => navigate(href(withParams(params, { [slot]: chosen })), { replace: true })
  const title = (
    <Choice
      label="Dimension of this card"
      isBare
      value={dimension}
      options={choices.map((name) => [name, toPlural(name)])}
      onChange={choose}
    />
  )
  if (filter !== undefined) {
    return (
      <Card title={title} class="breakdown is-filtered">
        <p class="only">
          Only <FilterValue filter={filter} />
          <a class="button" href={href(withoutFilter(params, dimension))}>
            Show all
          </a>
        </p>
      </Card>
    )
  }
  return (
    <Card
      title={title}
      class="breakdown"
      actions={
        <>
          <CsvButton question={question} dimension={dimension} />
          <a class="button" href={hrefOf("by", { name: dimension })}>
            All
          </a>
        </>
      }
    >
      <BreakdownRows question={question} dimension={dimension} metric={metric} bounds={bounds} />
    </Card>
  )
}

type RowsProps = Pick<BreakdownProps, "question" | "dimension" | "metric" | "bounds">

function BreakdownRows({ question, dimension, metric, bounds }: RowsProps) {
  const { input, params } = question
  const asked = { ...input, by: dimension, sort: SORTS[metric] }
  const report = useQuery<UsageReport>("/usage", { ...asked, limit: TOP_ROWS })
  const comparison = bounds && toComparison(bounds, params)
  const before = useQuery<UsageReport>(comparison && "/usage", { ...asked, ...comparison, limit: MAX_COMPARED })
  if (report.problem) return <Failure problem={report.problem} retry={report.reload} />
  if (report.data === undefined) return <Skeleton lines={TOP_ROWS + 1} />
  const { rows, total } = report.data
  if (rows.length === 0) return <Empty title="No requests" />
  const earlier = new Map(before.data?.rows.map((row) => [readValue(row, dimension).text, METRICS[metric].of(row)]))
  return (
    <table class="table bars" data-stale={report.isLoading ? "" : undefined}>
      <caption class="hidden">{toPlural(dimension)}</caption>
      <thead>
        <tr>
          <th scope="col">{toTitle(dimension)}</th>
          <th scope="col" class="right hide-m">
            Requests
          </th>
          <th scope="col" class="right">
            Cost
          </th>
          <th scope="col" class="right share">
            Share
          </th>
          {comparison && (
            <th scope="col" class="right delta">
              <span class={before.data?.rows.length === 0 ? "hidden" : undefined}>Change</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <BreakdownRow
            key={readValue(row, dimension).filter ?? readValue(row, dimension).text}
            question={question}
            dimension={dimension}
            row={row}
            share={METRICS[metric].of(row) / (METRICS[metric].of(total) || 1)}
            change={
              comparison && { value: toChange(METRICS[metric].of(row), earlier.get(readValue(row, dimension).text)) }
            }
          />
        ))}
      </tbody>
    </table>
  )
}

interface RowProps {
  readonly question: Question
  readonly dimension: string
  readonly row: UsageRow
  /** The share of the measure, from 0 to 1. */
  readonly share: number
  /** Undefined: nothing is compared. */
  readonly change: { readonly value: number | undefined } | undefined
}

/** One value with its share as a bar behind its name. */
function BreakdownRow({ question, dimension, row, share, change }: RowProps) {
  const { text, filter } = readValue(row, dimension)
  const name = (
    <>
      <i class="bar" style={{ width: `${Math.min(1, Math.max(0, share)) * 100}%` }} />
      <bdi title={text}>{text}</bdi>
    </>
  )
  return (
    <tr class={filter === undefined ? undefined : "is-link"}>
      <td class="wide">
        {filter === undefined ? (
          <span class="row-link is-plain">{name}</span>
        ) : (
          <a
            class="row-link"
            data-row
            href={question.href(withFilter(question.params, { name: dimension, value: filter }))}
          >
            {name}
          </a>
        )}
      </td>
      <td class="right hide-m">
        <Count value={row.requests} />
      </td>
      <td class="right">
        <Money usd={row.total_cost} unpriced={row.unpriced} />
      </td>
      <td class="right share num">{formatShare(share)}</td>
      {change && (
        <td class="right delta">
          <Change value={change.value} />
        </td>
      )}
    </tr>
  )
}
