import { useState } from "preact/hooks"
import { change } from "../kit/api.ts"
import { formatCount } from "../kit/format.ts"
import { search } from "../kit/manage.ts"
import { formatRate, type Price } from "../kit/prices.ts"
import { toProblem, useQuery } from "../kit/query.ts"
import { type Question, useQuestion } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { LongTable } from "../parts/long-table.tsx"
import { Search } from "../parts/search.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import type { Column } from "../parts/table.tsx"
import { toast } from "../parts/toast.tsx"
import { isAllowed, type PageProps } from "../view.ts"
import { Reprice } from "./_reprice.tsx"
import { Unpriced, useUnpriced } from "./_unpriced.tsx"

/** Models that have no price, and the price book. */
export function Prices({ session }: PageProps) {
  const question = useQuestion()
  const prices = useQuery<readonly Price[]>("/prices")
  const unpriced = useUnpriced()
  const [isRepricing, setRepricing] = useState(false)
  const words = question.params.get("q") ?? ""
  const found = search(prices.data ?? [], words, ({ provider, model }) => `${provider} ${model}`)
  const mayChange = isAllowed(session.role, "admin")
  return (
    <>
      <Unpriced models={unpriced} onReprice={mayChange ? () => setRepricing(true) : undefined} />
      <Card
        title={prices.data === undefined ? "Price book" : `${formatCount(found.length)} models in the price book`}
        actions={
          <>
            <Search label="Search models" />
            {mayChange && <Refresh onDone={prices.reload} />}
          </>
        }
      >
        <p class="card-note">USD per million tokens.</p>
        {prices.problem && <Failure problem={prices.problem} retry={prices.reload} />}
        {prices.data === undefined && !prices.problem && <Skeleton lines={20} />}
        {prices.data !== undefined && found.length === 0 && (
          <Empty title="No model matches">Search for a part of its name or of its provider.</Empty>
        )}
        {found.length > 0 && (
          <LongTable
            key={words}
            label="Price book"
            columns={COLUMNS}
            rows={found}
            keyOf={({ provider, model }) => `${provider}/${model}`}
            hrefOf={(price) => toPriceHref(question, price)}
          />
        )}
      </Card>
      <Reprice isOpen={isRepricing} onDone={unpriced.reload} onClose={() => setRepricing(false)} />
    </>
  )
}

const toPriceHref = ({ hrefOf }: Question, { provider, model }: Price) =>
  hrefOf("price", { of: model, ...(provider && { at: provider }) })

const toRateColumn = (title: string, rate: string, hide?: "m" | "l"): Column<Price> => ({
  title,
  cell: ({ rates }) => <span class="num">{formatRate(rates[rate]?.usd_per_million)}</span>,
  isNumber: true,
  ...(hide && { hide }),
})

const COLUMNS: readonly Column<Price>[] = [
  {
    title: "Model",
    cell: ({ provider, model }) => (
      <bdi title={model}>
        {model}
        <span class="quiet aside">{provider}</span>
      </bdi>
    ),
    isWide: true,
  },
  toRateColumn("Input", "input"),
  toRateColumn("Output", "output"),
  toRateColumn("Cache read", "cache_read", "m"),
  toRateColumn("Cache write", "cache_write", "l"),
  {
    title: "Source",
    cell: ({ rates }) => (
      <span class="quiet">{[...new Set(Object.values(rates).map(({ source }) => source))].join(", ")}</span>
    ),
    hide: "l",
  },
]

interface Refreshed {
  readonly sources: readonly { readonly source: string; readonly status: string; readonly reason: string | null }[]
}

/** Fetches the price lists now. */
function Refresh({ onDone }: { readonly onDone: () => void }) {
  const [isBusy, setBusy] = useState(false)
  const refresh = async () => {
    setBusy(true)
    try {
      const { sources } = await change<Refreshed>("POST", "/prices/refresh")
      const isError = sources.some(({ status }) => status === "failed")
      toast(sources.map(({ source, status, reason }) => `${source}: ${reason ?? status}`).join("; "), { isError })
      onDone()
    } catch (error) {
      toast(toProblem(error).message, { isError: true })
    }
    setBusy(false)
  }
  return (
    <button type="button" class="button" disabled={isBusy} onClick={refresh}>
      Refresh
    </button>
  )
}
