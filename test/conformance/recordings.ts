import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** The expected reading of a recorded response. The names are those of the recordings' files. */
export interface Expected {
  readonly model: string | null
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
  readonly traffic_type?: string
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
  readonly path: string
  readonly streaming: boolean
  readonly content_type: string
  readonly status: number
  /** What is known of the request's body. */
  readonly request?: Readonly<Record<string, unknown>>
  readonly request_model?: string | null
  /** When the response was recorded. Its price is that of this day. */
  readonly recorded_at?: string
  readonly response_body: string
  readonly expected: Expected
}

/** Reads the recordings from a directory of JSON files. Returns undefined if there is no such directory. */
export function readRecordings(directory: string): readonly Recording[] | undefined {
  if (!existsSync(directory)) return undefined
  return readdirSync(directory)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .flatMap((name) => JSON.parse(readFileSync(join(directory, name), "utf8")) as Recording[])
}
