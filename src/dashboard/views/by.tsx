import { useState } from "preact/hooks"
import { formatCount, formatShare } from "../kit/format.ts"
import { useQuery } from "../kit/query.ts"
import { type Question, useQuestion, withFilter, withParams } from "../kit/question.ts"
import { METRICS, readValue, toPlural, toTitle, type UsageReport, type UsageRow } from "../kit/usage.ts"
import { Card } from "../parts/card.tsx"
import { CsvButton } from "../parts/csv-button.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { type Column, Table } from "../parts/table.tsx"
import { Count, Money } from "../parts/value.tsx"

const PAGE = 100

/** All values of one dimension. Each row filters the overview. */
export function By() {
  const question = useQuestion()
  const { input, params, hrefOf } = question
  const name = params.get("name") ?? "model"
  const sort = params.get("sort") ?? "cost"
  const [limit, setLimit] = useState(PAGE)
  const report = useQuery<UsageReport>("/usage", { ...input, by: name, sort, limit })
  if (report.problem) return <Failure problem={report.problem} retry={report.reload} />
  const { data } = report
  const groups = data?.groups ?? data?.rows.length ?? 0
  const hrefOfRow = (row: UsageRow) => {
    const { filter } = readValue(row, name)
    return filter && hrefOf("", Object.fromEntries(withFilter(params, { name, value: filter })))
  }
  return (
    <Card
      title={
        <span role="status">{report.isLoading ? "Adding up all requests of the period …" : toCounted(groups)}</span>
      }
      actions={<CsvButton question={question} dimension={name} />}
    >
      {data === undefined && <Skeleton lines={20} />}
      {data?.rows.length === 0 && <Empty title="No requests match">Remove a filter, or choose a longer period.</Empty>}
      {data !== undefined && data.rows.length > 0 && (
        <Table
          label={toPlural(name)}
          columns={toColumns(question, { name, sort, hasSubscriptions: data.total.subscription_requests > 0 })}
          rows={data.rows}
          keyOf={(row) => readValue(row, name).filter ?? readValue(row, name).text}
          hrefOf={hrefOfRow}
          isStale={report.isLoading}
        />
      )}
      {data !== undefined && data.rows.length < groups && (
        <div class="more">
          <button type="button" class="button" onClick={() => setLimit(limit * 3)}>
            Show more
          </button>
          <span class="quiet">{`${formatCount(data.rows.length)} of ${formatCount(groups)}`}</span>
        </div>
      )}
    </Card>
  )
}

const toCounted = (groups: number) => `${formatCount(groups)} ${groups === 1 ? "value" : "values"}`

function toValue({ subscription_requests, subscription_value }: UsageRow) {
  return subscription_requests === 0 ? "" : <Money usd={subscription_value} />
}

interface ColumnChoice {
  readonly name: string
  readonly sort: string
  readonly hasSubscriptions: boolean
}

function toColumns({ params, href }: Question, { name, sort, hasSubscriptions }: ColumnChoice): Column<UsageRow>[] {
  const sorted = (field: string) => ({
    sortHref: href(withParams(params, { sort: field === "cost" ? undefined : field })),
    isSorted: sort === field,
  })
  return [
    {
      title: toTitle(name),
      cell: (row) => <bdi title={readValue(row, name).text}>{readValue(row, name).text}</bdi>,
      isWide: true,
    },
    {
      title: "Requests",
      cell: (row) => <Count value={row.requests} />,
      isNumber: true,
      hide: "m",
      ...sorted("requests"),
    },
    { title: "Errors", cell: (row) => <Count value={row.errors} />, isNumber: true, hide: "m", ...sorted("errors") },
    { title: "Tokens", cell: (row) => <Count value={METRICS.tokens.of(row)} />, isNumber: true, hide: "l" },
    {
      title: "Unpriced",
      cell: (row) => (row.unpriced === 0 ? "" : <span class="mark mark-warn">{formatCount(row.unpriced)}</span>),
      isNumber: true,
      hide: "l",
    },
    {
      title: "Cost",
      cell: (row) => <Money usd={row.total_cost} unpriced={row.unpriced} />,
      isNumber: true,
      ...sorted("cost"),
    },
    ...(hasSubscriptions
      ? [{ title: "API value of subscriptions", cell: toValue, isNumber: true, hide: "m" as const }]
      : []),
    { title: "Share", cell: (row) => <span class="num">{formatShare(row.share)}</span>, isNumber: true },
  ]
}
