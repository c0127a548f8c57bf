import { useState } from "preact/hooks"
import { changeWithNotes, type Input } from "../kit/api.ts"
import { formatCount, formatMoney } from "../kit/format.ts"
import type { Repricing } from "../kit/prices.ts"
import { useQuestion } from "../kit/question.ts"
import { Dialog, FormDialog } from "../parts/dialog.tsx"
import { Field } from "../parts/form.tsx"
import { type Column, Table } from "../parts/table.tsx"
import { toast } from "../parts/toast.tsx"
import { Count, Money } from "../parts/value.tsx"

interface Preview {
  readonly choice: Input
  readonly result: Repricing
}

interface RepriceProps {
  readonly isOpen: boolean
  /** The requests of one model, whose price was set. Default: all without a price. */
  readonly preset?: { readonly model: string; readonly since: string }
  readonly onDone: () => void
  readonly onClose: () => void
}

/** Prices stored requests again: first which ones, then what that changes, and then it is done. */
export function Reprice({ isOpen, preset, onDone, onClose }: RepriceProps) {
  const [preview, setPreview] = useState<Preview>()
  return (
    <>
      {isOpen && <Choose preset={preset} onChosen={setPreview} onClose={onClose} />}
      {preview && <Confirm {...preview} onDone={onDone} onClose={() => setPreview(undefined)} />}
    </>
  )
}

interface ChooseProps {
  readonly preset: RepriceProps["preset"]
  readonly onChosen: (preview: Preview) => void
  readonly onClose: () => void
}

function Choose({ preset, onChosen, onClose }: ChooseProps) {
  const { tz } = useQuestion()
  const [note, setNote] = useState<string>()
  const submit = async ({ since, until, model, provider, unpriced }: Readonly<Record<string, string>>) => {
    const choice = {
      since,
      tz,
      ...(until && { until }),
      ...(model && { model }),
      ...(provider && { provider }),
      unpriced: unpriced === "on",
    }
    const result = await changeWithNotes<Repricing>("/reprice", { ...choice, dry_run: true }, setNote)
    onChosen({ choice, result })
  }
  return (
    <FormDialog title="Reprice requests" action="Show the difference" onSubmit={submit} onClose={onClose}>
      <p>
        {preset && "The price is set. "}
        Stored requests are priced again, at the prices of their time. Their old costs are kept. Nothing changes until
        you have seen the difference.
      </p>
      <Field
        label="Since"
        name="since"
        value={preset?.since ?? "30d"}
        hint="Such as 7d, 24h, 2026-11-01, today or month."
        isRequired
        isFirst
      />
      <Field label="Until" name="until" hint="Empty: until now." />
      <Field label="Model" name="model" value={preset?.model ?? ""} hint="Empty: all models." />
      <Field label="Provider" name="provider" hint="Empty: all providers." />
      <label class="check">
        <input type="checkbox" name="unpriced" defaultChecked={preset === undefined} />
        Only requests without a price
      </label>
      <Progress note={note} />
    </FormDialog>
  )
}

interface ConfirmProps extends Preview {
  readonly onDone: () => void
  readonly onClose: () => void
}

function Confirm({ choice, result: { models }, onDone, onClose }: ConfirmProps) {
  const [note, setNote] = useState<string>()
  const looked = models.reduce((sum, model) => sum + model.looked, 0)
  const changed = models.reduce((sum, model) => sum + model.changed, 0)
  if (changed === 0) {
    return (
      <Dialog title="Nothing would change" class="is-wide" onClose={onClose}>
        <p>{`${toRequests(looked)} looked at. None has another cost at the prices of its time.`}</p>
        <Models models={models} />
        <div class="dialog-actions">
          <button type="button" class="button primary" onClick={onClose}>
            Close
          </button>
        </div>
      </Dialog>
    )
  }
  const submit = async () => {
    const done = await changeWithNotes<Repricing>("/reprice", { ...choice, dry_run: false }, setNote)
    const count = done.models.reduce((sum, model) => sum + model.changed, 0)
    toast(`${toRequests(count)} repriced.`)
    onDone()
  }
  return (
    <FormDialog
      title="The difference"
      action={`Reprice ${toRequests(changed)}`}
      class="is-wide"
      onSubmit={submit}
      onClose={onClose}
    >
      <p>{`${toRequests(looked)} looked at, ${formatCount(changed)} would change.`}</p>
      <Models models={models} />
      <Progress note={note} />
    </FormDialog>
  )
}

/** How far the repricing is, as the gateway says it once a second. */
function Progress({ note }: { readonly note: string | undefined }) {
  return (
    <p class="form-note" role="status">
      {note && `${note} …`}
    </p>
  )
}

const toRequests = (count: number) => `${formatCount(count)} ${count === 1 ? "request" : "requests"}`

type Repriced = Repricing["models"][number]

function Models({ models }: { readonly models: readonly Repriced[] }) {
  if (models.length === 0) return null
  return (
    <div class="preview">
      <Table
        label="What changes"
        columns={COLUMNS}
        rows={models}
        keyOf={({ provider, model }) => `${provider}/${model}`}
      />
    </div>
  )
}

/** The cost before; null if it was known of none of the changed requests. */
const toBefore = ({ before, changed, unpriced_before, unpriced_after }: Repriced) =>
  unpriced_before - unpriced_after === changed ? null : before

const COLUMNS: readonly Column<Repriced>[] = [
  {
    title: "Model",
    cell: ({ provider, model, reason, unpriced_after }) => (
      <bdi title={unpriced_after > 0 && reason !== null ? reason : model}>
        {model}
        <span class="quiet aside">{provider}</span>
      </bdi>
    ),
    isWide: true,
  },
  { title: "Changed", cell: ({ changed }) => <Count value={changed} />, isNumber: true },
  {
    title: "Still unpriced",
    cell: ({ unpriced_after, reason }) =>
      unpriced_after === 0 ? (
        ""
      ) : (
        <span class="mark mark-warn" title={reason ?? undefined}>
          {formatCount(unpriced_after)}
        </span>
      ),
    isNumber: true,
    hide: "m",
  },
  {
    title: "Before",
    cell: (row) => (row.changed === 0 ? "" : <Money usd={toBefore(row)} />),
    isNumber: true,
    hide: "m",
  },
  {
    title: "After",
    cell: (row) =>
      row.changed === 0 ? (
        ""
      ) : (
        <span title={`before: ${formatMoney(toBefore(row))}`}>
          <Money usd={row.after} />
        </span>
      ),
    isNumber: true,
  },
]
