import { useState } from "preact/hooks"
import { upload } from "../kit/api.ts"
import type { Reconciliation } from "../kit/bill.ts"
import { formatMoney } from "../kit/format.ts"
import { FormDialog } from "../parts/dialog.tsx"
import { Choice, Field } from "../parts/form.tsx"
import { toast } from "../parts/toast.tsx"

const FORMATS = [
  ["auto", "Recognize it by its columns"],
  ["google", "Google Cloud Billing"],
  ["aws-cur", "AWS Cost and Usage Report"],
  ["aws-cost-explorer", "AWS Cost Explorer"],
  ["azure", "Azure cost export"],
  ["openai", "OpenAI"],
  ["anthropic", "Anthropic"],
  ["generic", "Another one"],
] as const

/** Imports a bill from a file of the reader. */
export function ImportBill({ onDone, onClose }: { readonly onDone: () => void; readonly onClose: () => void }) {
  const [file, setFile] = useState<File>()
  const submit = async ({ file: _, ...input }: Readonly<Record<string, string>>) => {
    if (file === undefined) throw new Error("Choose a file.")
    const { billed, recorded } = await upload<Reconciliation>("/reconciliations/import", input, file)
    toast(`Imported: ${formatMoney(billed)} was billed, and ${formatMoney(recorded)} was recorded.`)
    onDone()
  }
  return (
    <FormDialog title="Import a bill" action="Import" onSubmit={submit} onClose={onClose}>
      <p>A CSV export of the provider. Its lines replace those that were imported for the same days.</p>
      <label class="field">
        <span>File</span>
        <input
          name="file"
          type="file"
          accept=".csv,.gz,text/csv"
          required
          onChange={(event) => setFile(event.currentTarget.files?.[0])}
        />
      </label>
      <Field label="Provider" name="provider" hint="As reports name it, such as gemini or azure." isRequired />
      <Choice label="Format" name="format" options={FORMATS} />
      <details>
        <summary>Name the columns</summary>
        <Field label="Day" name="date" />
        <Field label="Model" name="model" />
        <Field label="Cost in USD" name="cost" />
        <Field label="Tokens" name="tokens" />
      </details>
    </FormDialog>
  )
}
