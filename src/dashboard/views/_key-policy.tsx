import type { Key } from "../kit/manage.ts"
import { parseNames } from "../kit/metadata.ts"
import { Field } from "../parts/form.tsx"

type Values = Readonly<Record<string, string>>

/** The fields of a form, by the names that they have in the API. */
const FIELDS = [
  {
    name: "expires",
    label: "Expires",
    hint: "Such as 90d, or 2027-03-01 (its beginning in UTC). Empty: never.",
    read: (key: Key) => key.expires_at ?? "",
    none: "never",
  },
  {
    name: "models",
    label: "Models",
    hint: "The models that it may use, such as gpt-5*, claude-*. Empty: any.",
    read: (key: Key) => key.models?.join(", ") ?? "",
  },
  {
    name: "providers",
    label: "Providers",
    hint: "The providers that it may use, such as openai, anthropic. Empty: any.",
    read: (key: Key) => key.providers?.join(", ") ?? "",
  },
  {
    name: "budget",
    label: "Budget",
    hint: "In USD per minute, hour, day, week, month or total, such as 50/month. Empty: no limit.",
    read: (key: Key) => readLimit(key, "budget", ({ amount, window }) => `${amount}/${window}`),
  },
  { name: "rpm", label: "Requests per minute", read: (key: Key) => readLimit(key, "rpm", ({ amount }) => amount) },
  { name: "tpm", label: "Tokens per minute", read: (key: Key) => readLimit(key, "tpm", ({ amount }) => amount) },
  {
    name: "concurrency",
    label: "Requests at the same time",
    read: (key: Key) => readLimit(key, "concurrency", ({ amount }) => amount),
  },
] as const

/** The gateway names the limits that these fields set after the key and the field. */
function readLimit(key: Key, field: string, format: (limit: Key["limits"][number]) => string): string {
  const limit = key.limits.find(({ name }) => name.endsWith(` ${field}`))
  return limit === undefined ? "" : format(limit)
}

/** What a key may be used for, until when, and how much of it. */
export function PolicyFields({ value }: { readonly value?: Key | undefined }) {
  return (
    <>
      {FIELDS.map((field) => (
        <Field
          key={field.name}
          label={field.label}
          name={field.name}
          value={value === undefined ? "" : field.read(value)}
          hint={"hint" in field ? field.hint : undefined}
        />
      ))}
    </>
  )
}

/** Splits the values of a form into the changes of the policy, as the API expects them, and the other values. */
export function splitPolicy(values: Values, of?: Key): { readonly others: Values; readonly policy: object } {
  const others = { ...values }
  const policy: Record<string, string | readonly string[]> = {}
  for (const { name, read, ...field } of FIELDS) {
    const value = others[name] ?? ""
    delete others[name]
    if (value === (of === undefined ? "" : read(of))) continue
    if (name === "models" || name === "providers") policy[name] = parseNames(value)
    else policy[name] = value === "" ? ("none" in field ? field.none : "none") : value
  }
  return { others, policy }
}
