/** The measures of a report. Money is USD as a plain decimal. */
export interface Measures {
  readonly requests: number
  readonly errors: number
  readonly input_tokens: number
  readonly cached_tokens: number
  readonly cache_creation_tokens: number
  readonly output_tokens: number
  readonly total_cost: string | null
  readonly share: number
  readonly exact: number
  readonly estimated: number
  readonly unpriced: number
  readonly subscription_requests: number
  /** The price that the API would have charged for these requests. It is not part of the cost. */
  readonly subscription_value: string | null
}

/** One row: the measures, and the values of the dimensions by name. */
export type UsageRow = Measures & Readonly<Record<string, string | number | null>>

export interface UsageReport {
  readonly since: string
  readonly until: string
  readonly tz: string
  readonly rows: readonly UsageRow[]
  readonly total: Measures
  readonly notes?: readonly string[]
  readonly pending_rows?: number
  /** The number of rows without the limit. */
  readonly groups?: number
}

export interface LatencyReport {
  readonly total: {
    readonly p50_ms: number | null
    readonly p95_ms: number | null
    readonly p99_ms: number | null
  }
  readonly approximate: boolean
}

export interface MetadataName {
  readonly name: string
  readonly requests: number
  readonly active: "all" | "some" | "none"
}

export interface ApiKey {
  readonly id: string
  readonly name: string
}

/** The number of values in a card of the overview. */
export const TOP_ROWS = 8

/** The measures that a reader can look at. */
export const METRICS = {
  cost: { title: "Cost", of: (row: Measures) => Number(row.total_cost ?? 0) },
  requests: { title: "Requests", of: (row: Measures) => row.requests },
  tokens: { title: "Tokens", of: (row: Measures) => row.input_tokens + row.output_tokens },
  errors: { title: "Errors", of: (row: Measures) => row.errors },
} as const

export type Metric = keyof typeof METRICS

/** The dimensions that every request has, with the words for one and for many. */
const TITLES: Readonly<Record<string, readonly [one: string, many: string]>> = {
  model: ["Model", "Models"],
  provider: ["Provider", "Providers"],
  key: ["API key", "API keys"],
  status: ["Status", "Status codes"],
  outcome: ["Outcome", "Outcomes"],
  billing: ["Billing", "Kinds of billing"],
}
export const DIMENSIONS = Object.keys(TITLES)

export function toTitle(dimension: string): string {
  return TITLES[dimension]?.[0] ?? dimension
}

/** The name within a sentence: `model`, `API key`, `User-Id`. */
export function toPhrase(dimension: string): string {
  const title = toTitle(dimension)
  return dimension in TITLES && dimension !== "key" ? title.toLowerCase() : title
}

export function toPlural(dimension: string): string {
  return TITLES[dimension]?.[1] ?? dimension
}

/** What a row is called, and the value that filters by it. Undefined: nothing filters by it. */
export function readValue(row: UsageRow, dimension: string): { readonly text: string; readonly filter?: string } {
  const value = row[dimension]
  if (dimension === "key") {
    const id = row["key_id"]
    // A key that is deleted has its id in place of its name.
    const text = !id
      ? "(no key)"
      : value === null || value === id
        ? `deleted key ${String(id).slice(0, 8)}`
        : String(value)
    return id ? { text, filter: String(id) } : { text }
  }
  if (value === null || value === undefined) return { text: "(none)" }
  if (value === "") return { text: "(empty)" }
  return dimension === "outcome" ? { text: String(value) } : { text: String(value), filter: String(value) }
}
