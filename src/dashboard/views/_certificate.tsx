import { formatCount } from "../kit/format.ts"
import type { CostExplanation, CostLine, RequestDetails } from "../kit/request.ts"
import { Card } from "../parts/card.tsx"
import { Empty } from "../parts/states.tsx"
import { type Column, Table } from "../parts/table.tsx"
import { Confidence, Count } from "../parts/value.tsx"

const BUCKETS: Readonly<Record<string, string>> = {
  input: "Input",
  cacheRead: "Input read from the cache",
  cacheWrite: "Input written to the cache",
  cacheWrite1h: "Input written to the cache for an hour",
  output: "Output",
  reasoning: "Output for reasoning",
}

/** How the cost was computed: each quantity, its rate, and where the rate is from. It can be computed again by hand. */
export function Certificate({ request }: { readonly request: RequestDetails }) {
  const { explanation, cost_status } = request
  const title = (
    <>
      How the cost was computed <Confidence status={cost_status} />
    </>
  )
  return (
    <Card title={title}>
      {explanation.lines.length === 0 ? (
        <Empty title={request.total_cost === null ? "The cost is not known" : "Nothing was charged"}>
          {explanation.reason && <p>{explanation.reason}</p>}
          {explanation.advice && <p>{explanation.advice}</p>}
        </Empty>
      ) : (
        <>
          <Table
            label="Lines of the cost"
            columns={COLUMNS}
            rows={withKeys(explanation.lines)}
            keyOf={({ key }) => key}
          />
          <Total request={request} explanation={explanation} />
        </>
      )}
    </Card>
  )
}

type KeyedLine = CostLine & { readonly key: string }

const withKeys = (lines: readonly CostLine[]): KeyedLine[] => lines.map((line, i) => ({ ...line, key: String(i) }))

const COLUMNS: readonly Column<KeyedLine>[] = [
  { title: "What", cell: (line) => <What line={line} />, isTall: true },
  { title: "Quantity", cell: ({ quantity }) => <Count value={quantity} />, isNumber: true, hide: "m" },
  { title: "Rate", cell: (line) => <span class="num">{toRate(line)}</span>, isNumber: true, hide: "m" },
  {
    title: "Factor",
    cell: ({ factor }) => <span class="num">{factor === "1" ? "" : `× ${factor}`}</span>,
    isNumber: true,
    hide: "m",
  },
  { title: "Source of the rate", cell: ({ source, date }) => [source, date].filter(Boolean).join(", "), hide: "m" },
  { title: "Amount", cell: ({ amount }) => <span class="num">{`$${pad(amount)}`}</span>, isNumber: true },
]

/** A narrow screen has no room for a column of quantities and one of rates. */
function What({ line }: { readonly line: CostLine }) {
  return (
    <>
      {BUCKETS[line.bucket] ?? line.bucket}
      <small class="only-m num">{`${formatCount(line.quantity)} × ${toRate(line)}${line.factor === "1" ? "" : ` × ${line.factor}`}`}</small>
    </>
  )
}

/** Rates have cents, and more digits only where they are needed. */
function toRate({ rate, per }: CostLine): string {
  const [whole, fraction = ""] = rate.split(".")
  return `$${whole}.${fraction.padEnd(2, "0")} / ${per === "million" ? "1M" : per}`
}

const DIGITS = 9

/** Amounts have no rounding; with the same number of decimals they can be added by eye. */
function pad(amount: string): string {
  const [whole = "0", fraction = ""] = amount.split(".")
  return `${whole}.${fraction.padEnd(DIGITS, "0")}`
}

function Total({ request, explanation }: { readonly request: RequestDetails; readonly explanation: CostExplanation }) {
  const { adds_up, reported, tier } = explanation
  return (
    <div class="total">
      <p class="quiet">
        {adds_up
          ? "The lines add up to the cost, to the last digit."
          : "The lines do not add up to the cost of the row."}
        {reported !== null && ` The provider itself reported $${reported}, which is the cost.`}
        {tier !== null && ` Price tier: ${tier}.`}
      </p>
      <p>
        <span>Total</span>
        <strong class="num">{request.total_cost === null ? "—" : `$${pad(request.total_cost)}`}</strong>
      </p>
    </div>
  )
}
