/** A row of llm_requests, as the API writes it: the columns that the dashboard shows. */
export interface RequestRow {
  readonly id: string
  readonly majordomo_api_key_id: string | null
  readonly key_name: string | null
  readonly provider: string
  readonly provider_api_key_alias: string | null
  readonly model: string
  readonly requested_model: string | null
  readonly request_path: string
  readonly request_method: string
  readonly requested_at: string
  readonly responded_at: string | null
  readonly response_time_ms: number | null
  readonly first_byte_ms: number | null
  readonly input_tokens: number
  readonly cached_tokens: number
  readonly cache_creation_tokens: number
  readonly output_tokens: number
  readonly reasoning_tokens: number
  readonly input_cost: string | null
  readonly output_cost: string | null
  readonly total_cost: string | null
  readonly cost_status: string
  /** null: it is on the provider's bill. */
  readonly billing: "subscription" | null
  readonly usage_source: string | null
  readonly dialect: string | null
  readonly status_code: number
  readonly error_message: string | null
  readonly streamed: boolean
  /** null: the request was an HTTP request of its own. */
  readonly transport: "websocket" | null
  readonly outcome: string
  readonly raw_metadata: Readonly<Record<string, string>> | null
}

/** One line of a certificate: the quantity of a bucket, and the rate at which it is charged. */
export interface CostLine {
  readonly bucket: string
  readonly side: "input" | "output"
  readonly model?: string
  readonly quantity: number
  readonly rate: string
  readonly per: string
  readonly factor: string
  readonly amount: string
  readonly source?: string
  readonly date?: string
}

export interface CostExplanation {
  readonly lines: readonly CostLine[]
  readonly total: string
  readonly adds_up: boolean
  readonly tier: string | null
  readonly reported: string | null
  readonly computed: string | null
  readonly reason: string | null
  readonly advice: string | null
}

export interface RequestDetails extends RequestRow {
  readonly explanation: CostExplanation
}

export interface RequestBodies {
  readonly request_body?: string | null
  readonly response_body?: string | null
  readonly bodies_from: "none" | "postgres" | "s3" | "unreadable"
  readonly bodies_cut: readonly ("request" | "response")[]
}

/** The name of the key that sent a request, also if the key was deleted. */
export function toKeyName({ key_name, majordomo_api_key_id }: RequestRow): string {
  if (key_name !== null && key_name !== undefined) return key_name
  return majordomo_api_key_id === null ? "(no key)" : `deleted key ${majordomo_api_key_id.slice(0, 8)}`
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

/** How the APIs take the key of their provider. */
const CREDENTIALS: Readonly<Record<string, string>> = {
  anthropic: "x-api-key: $PROVIDER_KEY",
  gemini: "x-goog-api-key: $PROVIDER_KEY",
}

/** Returns the command that sends a request again, with variables in place of the keys. */
export function toCurl(row: RequestRow, bodies: RequestBodies | undefined, origin: string): string {
  const isWhole = typeof bodies?.request_body === "string" && !bodies.bodies_cut.includes("request")
  const lines = [
    `curl ${row.request_method === "POST" ? "" : `-X ${quote(row.request_method)} `}${quote(origin + row.request_path)}`,
    `-H "X-Majordomo-Key: $MAJORDOMO_KEY"`,
    `-H "X-Majordomo-Provider: ${row.provider.replace(/[^\w.-]/g, "")}"`,
    `-H "${CREDENTIALS[row.dialect ?? row.provider] ?? "Authorization: Bearer $PROVIDER_KEY"}"`,
    ...Object.entries(row.raw_metadata ?? {}).map(([name, value]) => `-H ${quote(`X-Majordomo-${name}: ${value}`)}`),
    `-H 'Content-Type: application/json'`,
    row.request_method === "GET"
      ? undefined
      : `--data-binary ${isWhole ? quote(bodies.request_body!) : "@request.json"}`,
  ]
  return lines.filter(Boolean).join(" \\\n  ")
}
