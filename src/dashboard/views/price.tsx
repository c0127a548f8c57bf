import { formatCount } from "../kit/format.ts"
import { type ExplainedPrice, formatRate, type PriceChange, toRateTitle } from "../kit/prices.ts"
import { useQuery } from "../kit/query.ts"
import { useQuestion } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { type Column, Table } from "../parts/table.tsx"
import { Moment } from "../parts/value.tsx"

/** One model: each of its rates with source and date, and how they changed. */
export function ModelPrice() {
  const { params, tz, hrefOf } = useQuestion()
  const model = params.get("of") ?? ""
  const input = { provider: params.get("at") ?? undefined }
  const path = model === "" ? undefined : `/prices/${encodeURIComponent(model)}`
  const prices = useQuery<readonly ExplainedPrice[]>(path, input)
  const history = useQuery<readonly PriceChange[]>(path && `${path}/history`, input)
  if (path === undefined) return <Empty title="The address has no model" />
  if (prices.problem) return <Failure problem={prices.problem} retry={prices.reload} />
  return (
    <>
      {prices.data === undefined && (
        <Card title="Rates">
          <Skeleton lines={6} />
        </Card>
      )}
      {prices.data?.map((price) => (
        <Rates key={`${price.provider}/${price.model}`} price={price} usageHref={hrefOf("", { model: price.model })} />
      ))}
      <Card title="History">
        {history.problem && history.problem.status !== 404 && (
          <Failure problem={history.problem} retry={history.reload} />
        )}
        {history.problem?.status === 404 && <p class="card-note">No source has a history of this model.</p>}
        {history.data === undefined && !history.problem && <Skeleton lines={4} />}
        {history.data !== undefined && <History changes={history.data} tz={tz} />}
      </Card>
    </>
  )
}

interface RateRow {
  readonly name: string
  readonly usd: string
  readonly per: string
  readonly source: string
  readonly date: string | null
  readonly doubt: string | undefined
}

function toRows({ rates, unsure, long_context }: ExplainedPrice): readonly RateRow[] {
  const base = Object.entries(rates).map(([name, rate]) => ({
    name: toRateTitle(name),
    usd: rate.usd_per_million ?? rate.usd_each ?? "0",
    per: rate.usd_per_million === undefined ? "each" : "1M tokens",
    source: rate.source,
    date: rate.date,
    doubt: unsure[name],
  }))
  const long = long_context.flatMap(({ above_tokens, usd_per_million }) =>
    Object.entries(usd_per_million).map(([name, usd]) => ({
      name: `${toRateTitle(name)}, input above ${formatCount(above_tokens)}`,
      usd,
      per: "1M tokens",
      source: rates[name]?.source ?? "",
      date: rates[name]?.date ?? null,
      doubt: unsure[name],
    })),
  )
  return [...base, ...long]
}

const RATE_COLUMNS: readonly Column<RateRow>[] = [
  {
    title: "Rate",
    cell: ({ name, doubt }) => (
      <>
        {name}
        {doubt && (
          <span class="mark mark-warn aside" title={doubt}>
            unsure
          </span>
        )}
      </>
    ),
    isWide: true,
    isTall: true,
  },
  { title: "USD", cell: ({ usd }) => <span class="num">{formatRate(usd)}</span>, isNumber: true },
  { title: "Per", cell: ({ per }) => <span class="quiet">{per}</span> },
  { title: "Source", cell: ({ source }) => source, hide: "m" },
  { title: "Date", cell: ({ date }) => <span class="num">{date ?? ""}</span>, isNumber: true, hide: "m" },
]

const MATCHED = {
  exact: undefined,
  rule: "The name was matched by a rule of the price list.",
  undated: "The name was matched without its date, so that costs are estimated.",
} as const

function Rates({ price, usageHref }: { readonly price: ExplainedPrice; readonly usageHref: string }) {
  const { provider, model, asked, matched, disagreements, not_used } = price
  const how = asked === model ? undefined : `Asked for ${asked}. ${MATCHED[matched] ?? ""}`
  return (
    <Card
      title={
        <bdi class="id">
          {model} <span class="quiet">{provider}</span>
        </bdi>
      }
      actions={
        <a class="button" href={usageHref}>
          Show its usage
        </a>
      }
    >
      {how && <p class="card-note">{how}</p>}
      <Table label={`Rates of ${model}`} columns={RATE_COLUMNS} rows={toRows(price)} keyOf={({ name }) => name} />
      {(disagreements.length > 0 || not_used.length > 0) && (
        <ul class="notes">
          {disagreements.map(({ rate, taken, from, other, other_from }) => (
            <li key={`${rate} ${other_from}`}>
              {`${toRateTitle(rate)}: ${formatRate(taken)} of ${from} is used, and ${other_from} says ${formatRate(other)}.`}
            </li>
          ))}
          {not_used.map(({ source, reason }) => (
            <li key={source}>{`${source} is not used: ${reason}`}</li>
          ))}
        </ul>
      )}
    </Card>
  )
}

function History({ changes, tz }: { readonly changes: readonly PriceChange[]; readonly tz: string }) {
  const names = [...new Set(changes.flatMap(({ rates }) => Object.keys(rates)))]
  const columns: Column<PriceChange>[] = [
    {
      title: "Since",
      cell: ({ since }) => (since === null ? <span class="quiet">first known</span> : <Moment iso={since} tz={tz} />),
    },
    {
      title: "Source",
      cell: ({ source, listed }) => (
        <>
          {source}
          {!listed && <span class="mark mark-warn aside">no longer listed</span>}
        </>
      ),
      isWide: true,
    },
    ...names.map(
      (name, i): Column<PriceChange> => ({
        title: toRateTitle(name),
        cell: ({ rates }) => <span class="num">{formatRate(rates[name])}</span>,
        isNumber: true,
        ...(i >= 2 && { hide: i < 4 ? "m" : "l" }),
      }),
    ),
  ]
  // The newest change stands first, as everywhere else.
  const rows = changes.toSorted((a, b) => (b.since ?? "").localeCompare(a.since ?? ""))
  return (
    <Table
      label="Changes of the price"
      columns={columns}
      rows={rows}
      keyOf={({ provider, source, since }) => `${provider} ${source} ${since}`}
    />
  )
}
