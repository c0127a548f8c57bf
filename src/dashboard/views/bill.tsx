import { useState } from "preact/hooks"
import { changeWithNotes } from "../kit/api.ts"
import type { Bills } from "../kit/bill.ts"
import { navigate } from "../kit/location.ts"
import { forgetAnswers, toProblem, useQuery } from "../kit/query.ts"
import { DEFAULT_SINCE, useQuestion, withParams } from "../kit/question.ts"
import { Choice } from "../parts/form.tsx"
import { Empty, Failure, Skeleton } from "../parts/states.tsx"
import { toast } from "../parts/toast.tsx"
import { isAllowed, type PageProps } from "../view.ts"
import { BillAccount } from "./_bill-account.tsx"
import { ImportBill } from "./_bill-import.tsx"

const PERIODS = [
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["month", "Month to date"],
  ["90d", "Last 90 days"],
] as const

/** What each provider billed, what was recorded, and why they differ. Bills have whole days of UTC. */
export function Bill({ session }: PageProps) {
  const { params, href, input } = useQuestion()
  const period = { since: input["since"], until: input["until"] }
  const bills = useQuery<Bills>("/reconciliations", period)
  const [isImporting, setImporting] = useState(false)
  if (bills.problem) return <Failure problem={bills.problem} retry={bills.reload} />
  const since = String(period.since ?? DEFAULT_SINCE)
  const isPreset = period.until === undefined && PERIODS.some(([value]) => value === since)
  const custom = isPreset ? [] : [[since, `Since ${since}`] as const]
  return (
    <>
      <div class="bill-bar">
        <Choice
          label="Period"
          isBare
          value={since}
          options={[...PERIODS, ...custom]}
          onChange={(value) => navigate(href(withParams(params, { since: value, until: undefined })))}
        />
        {isAllowed(session.role, "admin") && (
          <>
            <FetchNow period={period} isConfigured={(bills.data?.configured.length ?? 0) > 0} onDone={bills.reload} />
            <button type="button" class="button" onClick={() => setImporting(true)}>
              Import a bill
            </button>
          </>
        )}
      </div>
      {bills.data === undefined && <Skeleton lines={10} />}
      {bills.data?.providers.length === 0 && <NoBills configured={bills.data.configured} />}
      {bills.data?.providers.map((one) => (
        <BillAccount key={`${one.provider} ${one.account}`} of={one} />
      ))}
      {isImporting && <ImportBill onDone={bills.reload} onClose={() => setImporting(false)} />}
    </>
  )
}

interface FetchProps {
  readonly period: Readonly<Record<string, unknown>>
  readonly isConfigured: boolean
  readonly onDone: () => void
}

/** Reads the bills now. What the gateway says meanwhile stands beside the button. */
function FetchNow({ period, isConfigured, onDone }: FetchProps) {
  const [note, setNote] = useState<string>()
  const run = async () => {
    setNote("Asking the providers …")
    try {
      const { failed } = await changeWithNotes<{ failed: readonly { message: string }[] }>(
        "/reconciliations",
        period,
        setNote,
      )
      if (failed.length > 0) toast(failed.map(({ message }) => message).join(" "), { isError: true })
      forgetAnswers()
      onDone()
    } catch (error) {
      toast(toProblem(error).message, { isError: true })
    } finally {
      setNote(undefined)
    }
  }
  return (
    <>
      <button
        type="button"
        class="button primary"
        disabled={note !== undefined || !isConfigured}
        title={isConfigured ? undefined : "No credential is set with which the gateway could read a bill."}
        onClick={() => void run()}
      >
        Fetch now
      </button>
      <span class="quiet bill-note" role="status">
        {note}
      </span>
    </>
  )
}

function NoBills({ configured }: Pick<Bills, "configured">) {
  if (configured.length > 0) {
    return (
      <Empty title="No bill was compared in this period">
        <p>
          The gateway compares the bill of {configured.join(", ")} once a day. An admin can compare it at any time here,
          or with
        </p>
        <pre>majordomo-gateway reconcile</pre>
      </Empty>
    )
  }
  return (
    <Empty title="No bill was compared yet">
      <p>
        The gateway can prove its numbers: it reads what a provider billed, compares it with what was recorded, and says
        where each cent of the difference is. Set a credential that may read the bill, and restart the gateway:
      </p>
      <pre>{`reconcile:
  openai:     { admin_key: sk-admin-… }          # or OPENAI_ADMIN_KEY
  anthropic:  { admin_key: sk-ant-admin… }       # or ANTHROPIC_ADMIN_KEY
  openrouter: { provisioning_key: sk-or-… }      # or OPENROUTER_PROVISIONING_KEY`}</pre>
      <p>For every other provider, import the CSV export of its bill.</p>
    </Empty>
  )
}
