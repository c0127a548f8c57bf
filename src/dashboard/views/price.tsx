import { useRef, useState } from "preact/hooks"
import { type ExplainedPrice, formatRate, type Override, type PriceChange, toRateTitle } from "../kit/prices.ts"
import { useQuery } from "../kit/query.ts"
import { useQuestion } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { type Column, Table } from "../parts/table.tsx"
import { Moment } from "../parts/value.tsx"
import { isAllowed, type PageProps } from "../view.ts"
import { Overrides, RemoveOverride, SetPrice } from "./_override.tsx"
import { Rates } from "./_rates.tsx"
import { Reprice } from "./_reprice.tsx"

/** One model: each of its rates with source and date, the prices that were set, and how they changed. */
export function ModelPrice({ session }: PageProps) {
  const { params, tz, hrefOf } = useQuestion()
  const model = params.get("of") ?? ""
  const provider = params.get("at") ?? undefined
  const input = { provider }
  const path = model === "" ? undefined : `/prices/${encodeURIComponent(model)}`
  const prices = useQuery<readonly ExplainedPrice[]>(path, input)
  const history = useQuery<readonly PriceChange[]>(path && `${path}/history`, input)
  const overrides = useQuery<readonly Override[]>(path && "/prices/overrides")
  const [open, setOpen] = useState<Open>()
  const reload = () => {
    prices.reload()
    overrides.reload()
  }
  if (path === undefined) return <Empty title="The address has no model" />
  const isUnknown = prices.problem?.status === 404
  if (prices.problem && !isUnknown) return <Failure problem={prices.problem} retry={prices.reload} />
  const mayChange = isAllowed(session.role, "admin")
  const toSetButton = (price?: ExplainedPrice) =>
    mayChange && (
      <button type="button" class="button" onClick={() => setOpen({ dialog: "set", price })}>
        Set a price
      </button>
    )
  return (
    <>
      {isUnknown && (
        <Card title={<bdi class="id">{model}</bdi>} actions={toSetButton()}>
          <Empty title="No source has a price of this model">Its requests are unpriced until one is set.</Empty>
        </Card>
      )}
      {prices.data === undefined && !isUnknown && (
        <Card title="Rates">
          <Skeleton lines={6} />
        </Card>
      )}
      {prices.data?.map((price) => (
        <Rates
          key={`${price.provider}/${price.model}`}
          price={price}
          usageHref={hrefOf("", { model: price.model })}
          action={toSetButton(price)}
        />
      ))}
      <Overrides
        overrides={(overrides.data ?? []).filter((each) => each.model === model.toLowerCase())}
        tz={tz}
        onRemove={mayChange ? (of) => setOpen({ dialog: "remove", of }) : undefined}
      />
      <Card title="History">
        {history.problem && history.problem.status !== 404 && (
          <Failure problem={history.problem} retry={history.reload} />
        )}
        {history.problem?.status === 404 && <p class="card-note">No source has a history of this model.</p>}
        {history.data === undefined && !history.problem && <Skeleton lines={4} />}
        {history.data !== undefined && <History changes={history.data} tz={tz} />}
      </Card>
      <Dialogs model={model} provider={provider} open={open} onOpen={setOpen} onChanged={reload} />
    </>
  )
}

/** The dialog that is open. */
type Open =
  | { readonly dialog: "set"; readonly price: ExplainedPrice | undefined }
  | { readonly dialog: "remove"; readonly of: Override }
  | { readonly dialog: "reprice"; readonly since: string }

interface DialogsProps {
  readonly model: string
  readonly provider: string | undefined
  readonly open: Open | undefined
  readonly onOpen: (open: Open | undefined) => void
  readonly onChanged: () => void
}

/** Sets a price, then offers to reprice the requests of the model; or removes a price. */
function Dialogs({ model, provider, open, onOpen, onChanged }: DialogsProps) {
  const next = useRef<Open | undefined>(undefined)
  const close = () => {
    onOpen(next.current)
    next.current = undefined
  }
  const onSet = ({ from }: Override) => {
    onChanged()
    next.current = { dialog: "reprice", since: from ?? "30d" }
  }
  const preset = { model, since: open?.dialog === "reprice" ? open.since : "" }
  return (
    <>
      {open?.dialog === "set" && (
        <SetPrice
          model={model}
          provider={open.price?.provider ?? provider}
          price={open.price}
          onDone={onSet}
          onClose={close}
        />
      )}
      {open?.dialog === "remove" && <RemoveOverride of={open.of} onDone={onChanged} onClose={close} />}
      <Reprice isOpen={open?.dialog === "reprice"} preset={preset} onDone={() => {}} onClose={close} />
    </>
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
