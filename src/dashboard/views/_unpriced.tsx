import { formatCount } from "../kit/format.ts"
import type { UnpricedModel } from "../kit/prices.ts"
import { type Query, useQuery } from "../kit/query.ts"
import { type Question, useQuestion } from "../kit/question.ts"
import { Card } from "../parts/card.tsx"
import { LongTable } from "../parts/long-table.tsx"
import { Failure, Skeleton } from "../parts/states.tsx"
import type { Column } from "../parts/table.tsx"
import { Count } from "../parts/value.tsx"

const SINCE = "30d"

export function useUnpriced(): Query<readonly UnpricedModel[]> {
  const { tz } = useQuestion()
  return useQuery("/prices/unpriced", { since: SINCE, tz })
}

interface UnpricedProps {
  readonly models: Query<readonly UnpricedModel[]>
  /** Undefined: the reader may not reprice. */
  readonly onReprice: (() => void) | undefined
}

/** The models whose requests of the last 30 days have no price. */
export function Unpriced({ models, onReprice }: UnpricedProps) {
  const { hrefOf } = useQuestion()
  const { data, problem } = models
  return (
    <Card
      title="Models without a price in the last 30 days"
      actions={
        onReprice && (
          <button type="button" class="button" onClick={onReprice}>
            Reprice requests
          </button>
        )
      }
    >
      {problem && <Failure problem={problem} retry={models.reload} />}
      {data === undefined && !problem && <Skeleton lines={3} />}
      {data?.length === 0 && <p class="card-note">Every request of the last 30 days has a price.</p>}
      {data !== undefined && data.length > 0 && (
        <>
          <p class="card-note">
            The cost of these requests is not known, so it is in no sum. Set a price of the model, or refresh the price
            lists. Then reprice the requests.
          </p>
          <LongTable
            label="Models without a price"
            columns={onReprice ? [...COLUMNS, toAction(hrefOf)] : COLUMNS}
            rows={data}
            keyOf={({ provider, model }) => `${provider}/${model}`}
            hrefOf={({ provider, model }) =>
              hrefOf("requests", { since: SINCE, ...(model && { model }), ...(provider && { provider }) })
            }
          />
        </>
      )}
    </Card>
  )
}

function toAction(hrefOf: Question["hrefOf"]): Column<UnpricedModel> {
  return {
    title: "Change",
    cell: ({ provider, model }) =>
      model && (
        <a class="button" href={hrefOf("price", { of: model, ...(provider && { at: provider }) })}>
          Price
        </a>
      ),
    isNumber: true,
  }
}

const COLUMNS: readonly Column<UnpricedModel>[] = [
  {
    title: "Model",
    cell: ({ provider, model }) => (
      <bdi title={model ?? undefined}>
        {model ?? "no model"}
        <span class="quiet aside">{provider}</span>
      </bdi>
    ),
    isWide: true,
  },
  {
    title: "Unpriced",
    cell: ({ unpriced }) => <span class="mark mark-warn">{formatCount(unpriced)}</span>,
    isNumber: true,
  },
  { title: "Requests", cell: ({ requests }) => <Count value={requests} />, isNumber: true, hide: "m" },
  {
    title: "Tokens",
    cell: ({ input_tokens, output_tokens }) => <Count value={input_tokens + output_tokens} />,
    isNumber: true,
  },
]
