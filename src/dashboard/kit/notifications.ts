import { toHref } from "./location.ts"

/** A notification and what became of it. Times are ISO 8601 in UTC. */
export interface Notification {
  readonly id: string
  readonly kind: string
  readonly subject: string
  /** The period in which it is sent once. */
  readonly window: string
  readonly severity: "info" | "warning" | "critical"
  readonly at: string
  readonly title: string
  /** An empty line separates paragraphs. */
  readonly summary: string
  readonly facts: Readonly<Record<string, unknown>>
  readonly deliveries: readonly Delivery[]
}

export interface Delivery {
  readonly channel: string
  readonly state: "waiting" | "sent" | "failed"
  readonly attempts: number
  readonly next_attempt_at: string | null
  readonly sent_at: string | null
  /** Why the last attempt failed. */
  readonly error: string | null
}

export interface Channel {
  readonly name: string
  readonly type: string
  /** Without its secrets. */
  readonly address: string
  readonly kinds: readonly string[]
  readonly digests: readonly string[]
  readonly last_sent_at: string | null
  readonly last_error: string | null
}

/** The names of the kinds, in the order of the filter. */
export const KINDS = {
  limit: "Limit",
  anomaly: "Unusual spend",
  unpriced_model: "Model without a price",
  price_changed: "Price changed",
  reconciliation: "Bill differs",
  rows_waiting: "Rows waiting",
  rows_dropped: "Rows lost",
  new_key: "New key",
  digest: "Digest",
} as const satisfies Readonly<Record<string, string>>

/** The number of kinds that rules send without being told a time: all but the digest. */
const EVENT_KINDS = Object.keys(KINDS).length - 1

export function toKindName(kind: string): string {
  return (KINDS as Readonly<Record<string, string>>)[kind] ?? kind
}

/** Returns what the rules send to a channel, such as `everything; digest every week at 09:00`. */
export function describeRules({ kinds, digests }: Pick<Channel, "kinds" | "digests">): string {
  const events = kinds.length >= EVENT_KINDS ? "everything" : kinds.map(toKindName).join(", ").toLowerCase()
  const all = [events, ...digests.map((time) => `digest every ${time}`)].filter((part) => part !== "")
  return all.length === 0 ? "nothing: no rule names it" : all.join("; ")
}

/** Returns the address of the page that shows what a notification is about. */
export function findTarget({ kind, facts }: Pick<Notification, "kind" | "facts">): string {
  const text = (name: string) => (facts[name] === undefined ? undefined : String(facts[name]))
  const period = { since: text("since"), until: text("until"), tz: text("time_zone") }
  const price = { of: text("model"), at: text("provider") }
  const targets: Readonly<
    Record<string, readonly [view: string, params: Readonly<Record<string, string | undefined>>]>
  > = {
    limit: ["limits", { id: text("limit_id") }],
    anomaly: ["", period],
    digest: ["", period],
    unpriced_model: ["price", price],
    price_changed: ["price", price],
    reconciliation: ["bill", { since: period.since?.slice(0, 10) }],
    new_key: ["key", { id: text("key_id") }],
  }
  const [view, params] = targets[kind] ?? ["status", {}]
  const given = Object.entries(params).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return toHref(view, new URLSearchParams(given))
}

/** A fact for the page: a value, or rows with the same columns. */
interface Fact {
  readonly name: string
  readonly value: string
}

export interface FactTable {
  readonly name: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** Returns the facts that are single values, by their names for people. */
export function listFacts(facts: Notification["facts"]): readonly Fact[] {
  return Object.entries(facts)
    .filter(([, value]) => !Array.isArray(value) && value !== null && value !== undefined && value !== "")
    .map(([name, value]) => ({ name: toWords(name), value: toText(value) }))
}

/** Returns the facts that are lists. A list in a row has a table of its own. */
export function listFactTables(facts: Notification["facts"]): readonly FactTable[] {
  return Object.entries(facts).flatMap(([name, value]) => (Array.isArray(value) ? toTables(toWords(name), value) : []))
}

function toTables(name: string, items: readonly unknown[]): FactTable[] {
  if (items.length === 0) return []
  const records = items.filter(isRecord)
  if (records.length < items.length) {
    return [{ name, columns: ["Text"], rows: items.map((item) => [toText(item)]) }]
  }
  const nested = records.flatMap((record) =>
    Object.entries(record).flatMap(([, value]) =>
      Array.isArray(value) ? toTables(`${name}: ${toText(record["dimension"])}`, value) : [],
    ),
  )
  if (nested.length > 0) return nested
  const fields = [...new Set(records.flatMap((record) => Object.keys(record)))].sort((a, b) => rankOf(a) - rankOf(b))
  const rows = records.map((record) => fields.map((field) => toText(record[field])))
  return [{ name, columns: fields.map(toWords), rows }]
}

/** The fields that name a row stand before its numbers; the database does not keep the order. */
const NAMING = ["at", "dimension", "component", "cause", "provider", "name", "value"]

function rankOf(field: string): number {
  const rank = NAMING.indexOf(field)
  return rank < 0 ? NAMING.length : rank
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

const toText = (value: unknown) =>
  value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value)

function toWords(name: string): string {
  const words = name.replaceAll("_", " ")
  return words.charAt(0).toUpperCase() + words.slice(1)
}
