import type { ComponentChildren } from "preact"
import { formatCount } from "../kit/format.ts"
import { type ExplainedPrice, formatRate, toRateTitle } from "../kit/prices.ts"
import { Card } from "../parts/card.tsx"
import { type Column, Table } from "../parts/table.tsx"

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

interface RatesProps {
  readonly price: ExplainedPrice
  readonly usageHref: string
  readonly action: ComponentChildren
}

/** The rates of a model at one provider, each with its source. */
export function Rates({ price, usageHref, action }: RatesProps) {
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
        <>
          {action}
          <a class="button" href={usageHref}>
            Show its usage
          </a>
        </>
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
