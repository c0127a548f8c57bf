import { useState } from "preact/hooks"
import { formatExactMoment } from "../kit/format.ts"
import { forecast, formatAmount, formatWait, type Limit, type LimitUse, toUsageHref } from "../kit/limits.ts"
import { useQuery } from "../kit/query.ts"
import { Facts } from "../parts/card.tsx"
import { Dialog } from "../parts/dialog.tsx"
import { Skeleton } from "../parts/states.tsx"
import { Table } from "../parts/table.tsx"
import { UseBar } from "../parts/use-bar.tsx"
import { DeleteLimit, UpdateLimit } from "./_limit-dialogs.tsx"

interface OpenedProps {
  readonly of: Limit
  readonly mayChange: boolean
  readonly tz: string
  readonly onChange: () => void
  readonly onClose: () => void
}

/** One limit with who is near it, and what can be done with it. */
export function OpenedLimit({ of, mayChange, tz, onChange, onClose }: OpenedProps) {
  const [action, setAction] = useState<"update" | "delete">()
  const back = () => setAction(undefined)
  if (action === "update") return <UpdateLimit of={of} onDone={onChange} onClose={back} />
  if (action === "delete") {
    const done = () => {
      onChange()
      onClose()
    }
    return <DeleteLimit of={of} onDone={done} onClose={back} />
  }
  return (
    <Dialog title={of.name} class="is-wide" onClose={onClose}>
      <p>
        <bdi>{of.summary}</bdi>
      </p>
      <div class="gateways">
        <LimitFacts of={of} tz={tz} />
      </div>
      {of.per !== null && <Values of={of} />}
      {of.source === "config" && (
        <p class="gateways quiet">
          It stands in the configuration of the gateway (<code>limits</code>), and is changed there.
        </p>
      )}
      <div class="dialog-actions">
        {mayChange && of.source === "database" && (
          <>
            <button type="button" class="button danger" onClick={() => setAction("delete")}>
              Delete
            </button>
            <button type="button" class="button" onClick={() => setAction("update")}>
              Update
            </button>
          </>
        )}
        <a class="button" href={toUsageHref({ ...of, value: null })}>
          Show its usage
        </a>
        <button type="button" class="button primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  )
}

function LimitFacts({ of, tz }: { readonly of: Limit; readonly tz: string }) {
  const end = of.per === null && of.measure !== "concurrency" ? forecast(of) : undefined
  return (
    <Facts
      items={[
        [of.per === null ? "Use" : "Highest use", <UseBar key="use" of={of} />],
        ["Used", formatAmount(of, of.used)],
        ["Reserved", formatAmount(of, of.reserved)],
        ["Left", formatAmount(of, of.remaining)],
        ["At this pace", end === undefined ? undefined : `${formatAmount(of, end.toFixed(6))} at the end`],
        [
          "Resets",
          of.resets_at === null ? undefined : (
            <time key="resets" dateTime={of.resets_at} title={formatExactMoment(of.resets_at, tz)}>
              {formatWait(of.resets_at)}
            </time>
          ),
        ],
        ["Above it, requests are", of.action === "block" ? "rejected" : "reported only"],
        ["Reserved for a request", of.estimate === "maximum" ? "the most it can use" : "what it is expected to use"],
        ["Notifies at", of.notify_at.map((percent) => `${percent}%`).join(", ") || undefined],
        ["Models without a price", of.unpriced === "block" ? "rejected" : undefined],
        ["Id", <code key="id">{of.id}</code>],
      ]}
    />
  )
}

/** Who is near: the values of `per` that have used most, and a search for another one. */
function Values({ of }: { readonly of: Limit }) {
  const [value, setValue] = useState("")
  const input = value === "" ? {} : { value }
  const values = useQuery<readonly LimitUse[]>(`/limits/${of.id}/values`, input)
  const rows = (values.data ?? []).map((use): Limit => ({ ...of, ...use }))
  return (
    <div class="gateways">
      <label class="search">
        <span class="hidden">{`Find one ${of.per}`}</span>
        <input
          type="search"
          placeholder={`Find one ${of.per}`}
          autocomplete="off"
          spellcheck={false}
          onChange={(event) => setValue(event.currentTarget.value.trim())}
        />
      </label>
      {values.problem && <p role="alert">{values.problem.message}</p>}
      {values.data === undefined && !values.problem && <Skeleton lines={4} />}
      {values.data !== undefined && rows.length === 0 && <p class="quiet">Nothing was used in this window.</p>}
      {rows.length > 0 && (
        <div class="preview">
          <Table
            label={`Use by ${of.per}`}
            rows={rows}
            keyOf={(row) => row.value ?? ""}
            hrefOf={(row) => (row.value ? toUsageHref(row) : undefined)}
            columns={[
              {
                title: of.per === "key" ? "Key" : of.per === "model" ? "Model" : of.per!,
                cell: ({ value_name: name, per }) => <bdi title={name ?? ""}>{name || `no ${per}`}</bdi>,
                isWide: true,
              },
              { title: "Use", cell: (row) => <UseBar of={row} />, isNumber: true },
              {
                title: "Left",
                cell: (row) => <span class="num">{formatAmount(row, row.remaining)}</span>,
                isNumber: true,
              },
            ]}
          />
        </div>
      )}
    </div>
  )
}
