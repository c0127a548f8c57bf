import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** The expected reading of a recorded response. The names are those of the recordings' files. */
export interface Expected {
  readonly model: string | null
  /** All names of the model that are right, where an answer and its path name it differently. */
  readonly models_ok?: readonly string[]
  readonly usage_found: boolean
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cached_tokens: number
  readonly cache_creation_tokens: number
  readonly cache_creation_1h_tokens?: number
  readonly cache_creation_5m_tokens?: number
  readonly reasoning_tokens?: number
  readonly input_audio_tokens?: number
  readonly cached_audio_tokens?: number
  readonly output_audio_tokens?: number
  readonly output_image_tokens?: number
  readonly web_search_requests?: number
  readonly server_tool_calls?: Readonly<Record<string, number>>
  readonly service_tier?: string
  /** A number, where the client asked for enumerations as numbers. */
  readonly traffic_type?: string | number
  readonly provider_reported_cost_usd?: number
  readonly free_endpoint?: boolean
  readonly partial?: boolean
  readonly ambiguous?: string
  readonly inconsistent_usage?: string
  /** The items of a batch's results. */
  readonly items?: readonly Partial<Expected>[]
  readonly additional_billed_iterations?: readonly {
    readonly type: string
    readonly input_tokens_uncached: number
    readonly cached_tokens: number
    readonly cache_creation_tokens: number
    readonly output_tokens: number
  }[]
}

/** One recorded response of a provider. */
export interface Recording {
  readonly id: string
  readonly provider: string
  readonly kind: string
  /** The host and the method of the request, where the recording states them. */
  readonly host?: string
  readonly method?: string
  readonly path: string
  readonly streaming: boolean
  readonly content_type: string
  readonly status: number
  /** What is known of the request's body. */
  readonly request?: Readonly<Record<string, unknown>>
  readonly request_model?: string | null
  /** When the response was recorded. Its price is that of this day. */
  readonly recorded_at?: string
  readonly response_headers?: Readonly<Record<string, string>>
  /** Empty where the body is no text. */
  readonly response_body: string
  /** The body of an AWS event stream. */
  readonly response_body_base64?: string
  readonly expected: Expected
}

/** Returns the bytes of a recorded response. */
export function bodyOf({ response_body, response_body_base64 }: Recording): Buffer {
  return response_body_base64 === undefined ? Buffer.from(response_body) : Buffer.from(response_body_base64, "base64")
}

/** Returns the headers of a recorded response that its dialect may read, as raw headers. */
export function headersOf({ response_headers = {} }: Recording): string[] {
  return Object.entries(response_headers).flatMap(([name, value]) =>
    ["content-type", "content-length", "transfer-encoding"].includes(name.toLowerCase()) ? [] : [name, value],
  )
}

/** Reads the recordings from a directory of JSON files. Returns undefined if there is no such directory. */
export function readRecordings(directory: string): readonly Recording[] | undefined {
  if (!existsSync(directory)) return undefined
  return readdirSync(directory)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .flatMap((name) => JSON.parse(readFileSync(join(directory, name), "utf8")) as Recording[])
    .map((recording) => ({ ...recording, response_body: recording.response_body ?? "" }))
}
