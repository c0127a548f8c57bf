import { change } from "../kit/api.ts"
import { type ExplainedPrice, formatRate, type Override, toRateTitle } from "../kit/prices.ts"
import { Card } from "../parts/card.tsx"
import { FormDialog } from "../parts/dialog.tsx"
import { Choice, Field } from "../parts/form.tsx"
import { type Column, Table } from "../parts/table.tsx"
import { Moment } from "../parts/value.tsx"

const RATES = ["input", "output", "cache_read", "cache_write"] as const

interface SetPriceProps {
  readonly model: string
  readonly provider: string | undefined
  /** The present price; undefined: there is none. */
  readonly price: ExplainedPrice | undefined
  readonly onDone: (set: Override) => void
  readonly onClose: () => void
}

/** Sets the rates of a model. The fields show the present ones, and a field that is left empty changes nothing. */
export function SetPrice({ model, provider, price, onDone, onClose }: SetPriceProps) {
  const submit = async ({ at, from, ...given }: Readonly<Record<string, string>>) => {
    const rates = Object.fromEntries(Object.entries(given).filter(([, usd]) => usd.trim() !== ""))
    const where = { ...(at && { provider: at }), ...(from && { from }) }
    onDone(await change<Override>("POST", "/prices/overrides", { model, rates, ...where }))
  }
  return (
    <FormDialog title="Set a price" action="Set the price" onSubmit={submit} onClose={onClose}>
      <p>
        <bdi class="id">{model}</bdi>, in USD per million tokens. All gateways of the database use it for new requests.
        A price in the settings of a gateway comes first.
      </p>
      {RATES.map((rate, i) => {
        const { usd_per_million: usd, source } = price?.rates[rate] ?? {}
        return (
          <Field
            key={rate}
            label={toRateTitle(rate)}
            name={rate}
            value={source === "stored_overrides" ? (usd ?? "") : ""}
            hint={usd === undefined ? "No source has it." : `Now ${formatRate(usd)}, from ${source}.`}
            isFirst={i === 0}
          />
        )
      })}
      <Field label="From" name="from" type="date" hint="The first day, in UTC. Empty: it applies to all times." />
      {provider && (
        <Choice
          label="At"
          name="at"
          value={provider}
          options={[
            [provider, provider],
            ["", "every provider"],
          ]}
        />
      )}
    </FormDialog>
  )
}

interface OverridesProps {
  readonly overrides: readonly Override[]
  readonly tz: string
  /** Undefined: the reader may not remove them. */
  readonly onRemove: ((override: Override) => void) | undefined
}

/** The prices that were set of one model. */
export function Overrides({ overrides, tz, onRemove }: OverridesProps) {
  if (overrides.length === 0) return null
  const columns = onRemove ? [...toColumns(tz), toAction(onRemove)] : toColumns(tz)
  return (
    <Card title="Prices that were set">
      <Table label="Prices that were set" columns={columns} rows={overrides} keyOf={toKey} />
    </Card>
  )
}

const toPlace = (provider: string | null) => provider ?? "every provider"

const toKey = ({ provider, from }: Override) => `${provider} ${from}`

function toColumns(tz: string): Column<Override>[] {
  return [
    {
      title: "Rates",
      cell: ({ rates, provider }) => {
        const text = Object.entries(rates)
          .map(([name, usd]) => `${toRateTitle(name)} ${formatRate(usd)}`)
          .join(", ")
        return (
          <span title={text}>
            {text} <span class="only-m quiet">at {toPlace(provider)}</span>
          </span>
        )
      },
      isWide: true,
      isTall: true,
    },
    { title: "At", cell: ({ provider }) => toPlace(provider), hide: "m" },
    { title: "From", cell: ({ from }) => <span class="num">{from ?? "always"}</span>, isNumber: true },
    { title: "By", cell: ({ set_by }) => <bdi title={set_by}>{set_by}</bdi>, hide: "m" },
    { title: "Set", cell: ({ set_at }) => <Moment iso={set_at} tz={tz} />, isNumber: true, hide: "l" },
  ]
}

function toAction(onRemove: (override: Override) => void): Column<Override> {
  return {
    title: "Change",
    cell: (override) => (
      <button type="button" class="button" onClick={() => onRemove(override)}>
        Remove
      </button>
    ),
    isNumber: true,
  }
}

interface RemoveProps {
  readonly of: Override
  readonly onDone: () => void
  readonly onClose: () => void
}

export function RemoveOverride({ of: { model, provider, from }, onDone, onClose }: RemoveProps) {
  const submit = async () => {
    await change("DELETE", "/prices/overrides", { model, provider, from: from ?? "start" })
    onDone()
  }
  return (
    <FormDialog title="Remove the price" action="Remove" isDangerous onSubmit={submit} onClose={onClose}>
      <p>
        The price lists then say again what <bdi class="id">{model}</bdi> costs. Stored requests keep their cost until
        they are repriced.
      </p>
    </FormDialog>
  )
}
