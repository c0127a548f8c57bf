import { useEffect, useRef, useState } from "preact/hooks"
import { change } from "../kit/api.ts"
import type { Limit } from "../kit/limits.ts"
import { formatValues, parseNames, parseValues } from "../kit/metadata.ts"
import { toProblem } from "../kit/query.ts"
import { LOCAL_ZONE } from "../kit/question.ts"
import { FormDialog } from "../parts/dialog.tsx"
import { Choice, Field } from "../parts/form.tsx"

type Values = Readonly<Record<string, string>>

interface DialogProps {
  readonly onDone: () => void
  readonly onClose: () => void
}

const MEASURES = [
  ["cost", "Cost in USD"],
  ["requests", "Requests"],
  ["tokens", "Tokens"],
  ["input_tokens", "Input tokens"],
  ["output_tokens", "Output tokens"],
  ["concurrency", "Requests at the same time"],
] as const
const WINDOWS = [
  ["month", "per month"],
  ["week", "per week"],
  ["day", "per day"],
  ["hour", "per hour"],
  ["minute", "per minute"],
  ["total", "in total"],
] as const

export function CreateLimit({ onDone, onClose }: DialogProps) {
  const ask = (values: Values, dryRun: boolean) =>
    change<Limit>("POST", "/limits", { ...toInput(values), dry_run: dryRun })
  const submit = async (values: Values) => {
    await ask(values, false)
    onDone()
  }
  return (
    <FormDialog title="Create a limit" action="Create" class="is-wide" onSubmit={submit} onClose={onClose}>
      <LimitFields preview={(values) => ask(values, true)} />
    </FormDialog>
  )
}

export function UpdateLimit({ of, onDone, onClose }: DialogProps & { readonly of: Limit }) {
  const ask = (values: Values, dryRun: boolean) =>
    change<Limit>("PATCH", `/limits/${of.id}`, { ...toInput(values), dry_run: dryRun })
  const submit = async (values: Values) => {
    await ask(values, false)
    onDone()
  }
  return (
    <FormDialog title={`Update ${of.name}`} action="Save" class="is-wide" onSubmit={submit} onClose={onClose}>
      <LimitFields value={of} preview={(values) => ask(values, true)} />
    </FormDialog>
  )
}

export function DeleteLimit({ of, onDone, onClose }: DialogProps & { readonly of: Limit }) {
  const submit = async () => {
    await change("DELETE", `/limits/${of.id}`)
    onDone()
  }
  return (
    <FormDialog title="Delete the limit" action="Delete" isDangerous onSubmit={submit} onClose={onClose}>
      <p class="name">
        <bdi>{of.name}</bdi>
      </p>
      <p>
        It says: <bdi>{of.summary}</bdi> Without it, such requests are no longer counted or rejected.
      </p>
    </FormDialog>
  )
}

interface FieldsProps {
  readonly value?: Limit
  /** Checks the values without storing them. */
  readonly preview: (values: Values) => Promise<Limit>
}

function LimitFields({ value, preview }: FieldsProps) {
  return (
    <>
      <Field label="Name" name="name" value={value?.name ?? ""} hint="Errors and reports show it." isRequired isFirst />
      <div class="two-fields">
        <Choice label="Measure" name="measure" value={value?.measure ?? "cost"} options={MEASURES} />
        <Field label="Amount" name="amount" value={value?.amount ?? ""} isRequired />
        <Choice label="Window" name="window" value={value?.window ?? "month"} options={WINDOWS} />
        <Field label="Time zone" name="tz" value={value?.tz ?? LOCAL_ZONE} />
        <Field label="API key" name="key" value={value?.key_name ?? ""} hint="Its name or id. Empty: all." />
        <Field label="Provider" name="provider" value={value?.provider ?? ""} hint="Empty: all." />
        <Field label="Model" name="model" value={value?.model ?? ""} hint="Such as gpt-5, or gpt-5*. Empty: all." />
        <Field label="Metadata" name="where" value={formatValues(value?.where ?? {})} hint="Such as Team=search." />
        <Field
          label="One amount per"
          name="per"
          value={value?.per ?? ""}
          hint="key, model or a name such as User-Id."
        />
        <Field
          label="Notify at percent"
          name="notify_at"
          value={value?.notify_at.join(", ") ?? ""}
          hint="Such as 50, 80, 100."
        />
        <Choice
          label="Requests above it"
          name="action"
          value={value?.action ?? "block"}
          options={[
            ["block", "are rejected"],
            ["warn", "are reported only"],
          ]}
        />
        <Choice
          label="Reserve for a request"
          name="estimate"
          value={value?.estimate ?? "expected"}
          options={[
            ["expected", "what it is expected to use"],
            ["maximum", "the most it can use"],
          ]}
        />
        <Choice
          label="Models without a price"
          name="unpriced"
          value={value?.unpriced ?? "allow"}
          options={[
            ["allow", "are allowed"],
            ["block", "are rejected by a limit on cost"],
          ]}
        />
      </div>
      <Preview preview={preview} />
    </>
  )
}

const PAUSE_MS = 300

/**
 * What the limit will allow, in words, or what is still wrong. It listens to the form by itself, because the fields would
 * lose what was chosen if they were rendered again.
 */
function Preview({ preview }: Pick<FieldsProps, "preview">) {
  const element = useRef<HTMLParagraphElement>(null)
  const [said, setSaid] = useState<{ readonly text: string; readonly isBad: boolean }>()
  useEffect(() => {
    const form = element.current!.closest("form")!
    let timer: ReturnType<typeof setTimeout> | undefined
    let newest = 0
    const onInput = () => {
      clearTimeout(timer)
      newest += 1
      const mine = newest
      const values = Object.fromEntries([...new FormData(form)].map(([name, each]) => [name, String(each)]))
      if (!values["name"] || !values["amount"]) return setSaid(undefined)
      const say = (text: string, isBad: boolean) => mine === newest && setSaid({ text, isBad })
      const ask = async () => say((await preview(values)).summary, false)
      timer = setTimeout(() => ask().catch((error: unknown) => say(toProblem(error).message, true)), PAUSE_MS)
    }
    form.addEventListener("input", onInput)
    return () => {
      newest += 1
      clearTimeout(timer)
      form.removeEventListener("input", onInput)
    }
  }, [])
  return (
    <p ref={element} class={said?.isBad ? "limit-preview is-bad" : "limit-preview"} aria-live="polite">
      <bdi>{said?.text ?? "Give a name and an amount to see what the limit allows."}</bdi>
    </p>
  )
}

/** Returns the fields of the API. A field that is empty is removed. */
function toInput({ where = "", notify_at: percentages = "", window, unpriced, ...fields }: Values) {
  const isCost = fields["measure"] === "cost"
  return {
    ...fields,
    window: fields["measure"] === "concurrency" ? "total" : window,
    unpriced: isCost ? unpriced : "allow",
    where: parseValues(where),
    notify_at: parseNames(percentages).map((text) => Number(text.replace("%", ""))),
  }
}
