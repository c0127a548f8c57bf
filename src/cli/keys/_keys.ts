import { CommandError } from "../../core/errors.ts"
import type { Key } from "../../operations/keys/key.ts"
import { listValues } from "../_args.ts"
import { printable, toMoment, withThousands } from "../_text.ts"

export const ID = {
  type: "positional",
  required: true,
  description: "the key's name, its id, or the beginning of its id",
} as const

export const DISCOUNT = {
  type: "string",
  valueHint: "PERCENT",
  description: "what the provider takes off its list prices for this key, such as 12.5",
} as const

export const PROVIDER_KEY = {
  type: "string",
  valueHint: "PROVIDER:ALIAS",
  description: "a provider key of provider-keys list that its requests use, one for each provider",
  isRepeatable: true,
} as const

/** Metadata of a key. Each of these options can be repeated, so that its values are read from the raw arguments. */
export const METADATA = {
  metadata: {
    type: "string",
    valueHint: "NAME=VALUE",
    description: "metadata for requests that have none of this name",
    isRepeatable: true,
  },
  "locked-metadata": {
    type: "string",
    valueHint: "NAME=VALUE",
    description: "metadata that replaces the client's",
    isRepeatable: true,
  },
  require: {
    type: "string",
    valueHint: "NAME",
    description: "reject requests without this metadata",
    isRepeatable: true,
  },
} as const

/** What a key may be used for, until when, and how much of it. */
export const POLICY = {
  expires: {
    type: "string",
    valueHint: "WHEN",
    description: "when it expires: an age such as 90d, a date such as 2027-03-01, or never",
  },
  models: {
    type: "string",
    valueHint: "LIST",
    description: "the models that it may use, such as 'gpt-5*,claude-*', or any",
  },
  providers: {
    type: "string",
    valueHint: "LIST",
    description: "the providers that it may use, such as openai,anthropic, or any",
  },
  budget: {
    type: "string",
    valueHint: "USD/WINDOW",
    description: "what it may cost, such as 50/month or 5/day (see limits), or none",
  },
  rpm: { type: "string", valueHint: "NUMBER", description: "its requests per minute, or none" },
  tpm: { type: "string", valueHint: "NUMBER", description: "its tokens per minute, or none" },
  concurrency: { type: "string", valueHint: "NUMBER", description: "its requests at the same time, or none" },
} as const

/** Returns the input of a route for these options. */
export function readPolicyOptions(args: { readonly [K in keyof typeof POLICY]?: string | undefined }) {
  const { expires, models, providers, budget, rpm, tpm, concurrency } = args
  return { expires, models: models?.split(","), providers: providers?.split(","), budget, rpm, tpm, concurrency }
}

/** Returns the input of a route for these options. An option with an empty text removes all values of its kind. */
export function readMetadataOptions(rawArgs: readonly string[]) {
  const read = (option: string) => {
    const values = listValues(option, rawArgs)
    return values.length === 0 ? undefined : values.filter((value) => value !== "")
  }
  const pairs = (option: string) => read(option)?.map((value) => toPair(option, value))
  const [defaults, locked] = [pairs("metadata"), pairs("locked-metadata")]
  return {
    default_metadata: defaults && Object.fromEntries(defaults),
    locked_metadata: locked && Object.fromEntries(locked),
    required_metadata: read("require"),
  }
}

function toPair(option: string, text: string): [name: string, value: string] {
  const at = text.indexOf("=")
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  throw new CommandError(`--${option}: expected NAME=VALUE, got ${JSON.stringify(text.slice(0, 60))}`, 2)
}

/** Renders one key, with a line for each of its members. */
export function renderKey(key: Key): string {
  const lines = [
    ["ID", key.id],
    ["Name", key.name],
    ["Description", key.description || "-"],
    ["Discount", toDiscount(key)],
    ["Metadata", toPairs(key.default_metadata)],
    ["Locked", toPairs(key.locked_metadata)],
    ["Required", key.required_metadata.join(", ") || "-"],
    ["Status", key.status],
    ["Expires", key.expires_at === null ? "never" : toTime(key.expires_at)],
    ["Models", key.models?.join(", ") ?? "any"],
    ["Providers", key.providers?.join(", ") ?? "any"],
    ["Limits", toLimits(key) || "-"],
    ...(key.previous_secret_until === null
      ? []
      : [["Old secret", `until ${toTime(key.previous_secret_until)}`] as const]),
    ...(key.provider_keys.length === 0 ? [] : [["Bound to", toBindings(key)] as const]),
    ["Created", toTime(key.created_at)],
    ["Revoked", toTime(key.revoked_at)],
    ["Last used", toTime(key.last_used_at)],
    ["Requests", withThousands(key.request_count)],
  ] as const
  return lines.map(([name, value]) => `${`${name}:`.padEnd(13)}${printable(value)}`).join("\n")
}

function toPairs(metadata: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(metadata).map(([name, value]) => `${name}=${value}`)
  return pairs.join(", ") || "-"
}

/** Renders the provider keys that a key is bound to. */
function toBindings({ provider_keys: keys }: Key): string {
  return keys.map(({ provider, alias, removed }) => `${provider}:${alias}${removed ? " (removed)" : ""}`).join(", ")
}

/** Renders the limits on a key, such as `50 USD per month, 60 requests per minute`. */
export function toLimits({ limits }: Key): string {
  return limits
    .map(({ measure, amount, window }) => {
      if (measure === "concurrency") return `${amount} requests at the same time`
      const unit = measure === "cost" ? "USD" : measure.replace("_", " ")
      return `${amount} ${unit} ${window === "total" ? "in total" : `per ${window}`}`
    })
    .join(", ")
}

/** Renders a key's discount, such as `12.5%`. */
export function toDiscount({ discount_percent: percent }: Key): string {
  return percent === null ? "-" : `${percent}%`
}

/** Renders an ISO time in this machine's time zone. */
export function toTime(at: string | null): string {
  return at === null ? "-" : toMoment(new Date(at), Intl.DateTimeFormat().resolvedOptions().timeZone)
}
