import type { Question } from "../kit/question.ts"
import { type RequestRow, toKeyName } from "../kit/request.ts"
import type { Column } from "../parts/table.tsx"
import { Confidence, Count, Duration, Moment, Money, Status } from "../parts/value.tsx"

/** A text that may be long, in any direction. */
function Cut({ text }: { readonly text: string | undefined }) {
  if (text === undefined) return <span class="quiet">—</span>
  return (
    <bdi class="cut" title={text}>
      {text}
    </bdi>
  )
}

/** The cost of a request. What a subscription pays for says so below, because it is on no bill. */
function Cost({ row: { total_cost, billing } }: { readonly row: RequestRow }) {
  if (!billing) return <Money usd={total_cost} digits={4} />
  return (
    <span class="stack" title="A subscription pays for this request. The amount is what the API would have charged.">
      <Money usd={total_cost} digits={4} />
      <small class="quiet">{billing}</small>
    </span>
  )
}

/** The columns of requests. `names` are the metadata names that have a column. */
export function toRequestColumns({ tz }: Question, names: readonly string[]): Column<RequestRow>[] {
  return [
    { title: "Time", cell: (row) => <Moment iso={row.requested_at} tz={tz} /> },
    { title: "Status", cell: (row) => <Status code={row.status_code} outcome={row.outcome} /> },
    { title: "Model", cell: (row) => <Cut text={row.model} /> },
    { title: "Key", cell: (row) => <Cut text={toKeyName(row)} />, hide: "m" },
    ...names.map((name) => ({
      title: name,
      cell: (row: RequestRow) => <Cut text={row.raw_metadata?.[name]} />,
      hide: "l" as const,
    })),
    { title: "Latency", cell: (row) => <Duration ms={row.response_time_ms} />, isNumber: true, hide: "m" },
    { title: "Input", cell: (row) => <Count value={row.input_tokens} />, isNumber: true, hide: "l" },
    { title: "Output", cell: (row) => <Count value={row.output_tokens} />, isNumber: true, hide: "l" },
    { title: "Cost", cell: (row) => <Cost row={row} />, isNumber: true },
    { title: "Confidence", cell: (row) => <Confidence status={row.cost_status} />, hide: "m" },
  ]
}
