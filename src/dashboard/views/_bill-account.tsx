import { type BillCause, CAUSES, listCommands, type Reconciliation, toCauseSeries, toPart } from "../kit/bill.ts"
import { formatDay, formatMoney, formatShare } from "../kit/format.ts"
import { type Question, useQuestion } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { Chart } from "../parts/chart.tsx"
import { CopyButton } from "../parts/copy.tsx"
import { Legend } from "../parts/legend.tsx"
import { Tile } from "../parts/tile.tsx"
import { Moment, Money } from "../parts/value.tsx"

const SOURCES = { api: "read from the provider", "legacy-api": "read from the provider", import: "imported" } as const

/** The bill of one account: both sides, the causes of the difference with what to do about them, and its trend. */
export function BillAccount({ of }: { readonly of: Reconciliation }) {
  const question = useQuestion()
  const { provider, account, billed, recorded, excess, tolerated, within_tolerance: isWithin, days } = of
  const settling = days.filter((day) => day.settling).map(({ day }) => formatDay(day))
  return (
    <Card
      title={
        <bdi>
          {provider}
          {account !== null && <span class="quiet aside">{account}</span>}
        </bdi>
      }
      actions={
        <span class={`mark ${isWithin ? "mark-on" : "mark-bad"}`}>
          {isWithin ? "within tolerance" : "beyond tolerance"}
        </span>
      }
    >
      <div class="tiles bill-tiles">
        <Tile title="Billed" value={<Money usd={billed} />} isLoading={false} />
        <Tile title="Recorded" value={<Money usd={recorded} />} note={toShare(of)} isLoading={false} />
        <Tile
          title="Needs attention"
          value={<Money usd={excess} />}
          note={`${formatMoney(tolerated)} is tolerated`}
          isLoading={false}
        />
      </div>
      <Causes of={of} question={question} />
      <Trend of={of} question={question} />
      <p class="quiet bill-source">
        The bill was {SOURCES[of.source]} <Moment iso={of.fetched_at} tz={question.tz} />. Days are of UTC.
        {settling.length > 0 && ` The provider may still add to ${settling.join(", ")}, so it does not count yet.`}
      </p>
      {of.notes.length > 0 && (
        <ul class="notes">
          {of.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </Card>
  )
}

function toShare({ billed, recorded }: Reconciliation): string | undefined {
  return Number(billed) === 0 ? undefined : `${formatShare(Number(recorded) / Number(billed))} of the bill`
}

interface PartProps {
  readonly of: Reconciliation
  readonly question: Question
}

function Causes({ of, question }: PartProps) {
  if (of.causes.length === 0) return <p class="bill-source">Both sides are equal to the last digit.</p>
  return (
    <ul class="bill-causes">
      {of.causes.map((cause) => (
        <li key={`${cause.cause} ${toPart(cause)} ${cause.detail}`}>
          <p class="bill-cause">
            <strong>{CAUSES[cause.cause]}</strong>
            <bdi class="cut" title={toPart(cause)}>
              {toPart(cause)}
            </bdi>
            <Money usd={cause.amount} />
          </p>
          <p>{cause.detail}</p>
          <Advice of={cause} provider={of.provider} />
          {cause.cause !== "outside" && (
            <p>
              <a href={toRequests(cause, of.provider, question)}>Show the requests</a>
            </p>
          )}
        </li>
      ))}
    </ul>
  )
}

/** What to do about a cause, with its commands to copy. */
function Advice({
  of: { cause, model, tier, advice },
  provider,
}: {
  readonly of: BillCause
  readonly provider: string
}) {
  const fix = `majordomo-gateway reconcile fix --provider ${provider} --model ${model}`
  const isFixable = cause === "price" && model !== null && (tier === null || tier === "standard")
  const commands = isFixable ? [fix] : listCommands(advice ?? "")
  if (advice === null && commands.length === 0) return null
  return (
    <>
      {advice !== null && <p class="quiet">{advice.replaceAll("`", "")}</p>}
      {commands.map((command) => (
        <div key={command} class="secret">
          <code>{command}</code>
          <CopyButton text={command} />
        </div>
      ))}
    </>
  )
}

/** Returns the address of the requests of a cause: those of its days, which are of UTC. */
function toRequests({ model, days }: BillCause, provider: string, { hrefOf }: Question): string {
  return hrefOf("requests", {
    provider,
    tz: "UTC",
    ...(model !== null && { model }),
    ...(days.length > 0 && { since: days[0]!, until: days.at(-1)! }),
  })
}

/** The size of the difference by day and cause. */
function Trend({ of: { days, provider }, question }: PartProps) {
  const series = toCauseSeries(days)
  if (days.length < 2 || series.length === 0) return null
  const [first, rest] = [series.slice(0, 5), series.slice(5)]
  const others = days.map((_, i) => rest.reduce((sum, { values }) => sum + values[i]!, 0))
  const shown = rest.length === 0 ? first : [...first, { name: "Others", values: others }]
  const format = (value: number) => formatMoney(value.toFixed(9))
  return (
    <div class="over-time">
      <div class="over-time-head">
        <Legend series={shown} hasRest={rest.length > 0} hrefOf={() => undefined} />
      </div>
      <Chart
        label={`The difference of ${provider} by day`}
        bars={days.map(({ day, billed, recorded, settling }) => ({
          label: formatDay(day),
          title: `${formatDay(day)}: billed ${formatMoney(billed)}, recorded ${formatMoney(recorded)}${settling ? ", settling" : ""}`,
          href: question.hrefOf("requests", { provider, tz: "UTC", since: day, until: day }),
          isFaint: settling,
        }))}
        series={shown}
        hasRest={rest.length > 0}
        before={undefined}
        format={format}
        formatAxis={(value) => `$${Number(value.toPrecision(3))}`}
        isStale={false}
      />
    </div>
  )
}
