import type { Edit, Headers } from "../core/call.ts"
import type { GatewayErrorCode } from "../core/errors.ts"
import type { Reading } from "../core/usage.ts"

/** The API that a provider speaks; a configured provider chooses one of these. */
export type Format = "openai" | "anthropic" | "gemini"

/** What the gateway knows of a request when it asks a dialect something. Pure data. */
export interface ProviderRequest {
  readonly provider: string
  readonly method: string
  /** The path that the provider gets, without query. */
  readonly path: string
  readonly query: string
  readonly headers: Headers
  /** The request's body, or the outline of a large one (`LargeBody`); may be empty, may be anything. */
  readonly body: Uint8Array
  /** Of a large body: its first bytes, at most so many. */
  readonly readStart?: ((maxBytes: number) => Uint8Array) | undefined
  /** Host name of the provider (for regional prices). */
  readonly host: string
}

/** What a dialect makes of a request before it is forwarded. */
export interface PreparedRequest {
  /** The model that was asked for: body, or path for Gemini. */
  readonly requestedModel: string | undefined
  /** What to change in the body, when usage has to be asked for; undefined: it goes on as it came. */
  readonly edit: Edit | undefined
  /** When `edit` is set: takes out of the answer what only our asking put in. */
  readonly createFilter: (() => StreamFilter) | undefined
  /** Does the client ask for a stream? (A hint: the answer's content type decides.) */
  readonly stream: boolean
}

/** Takes stream bytes, gives the bytes that the client may see; holds back at most one unfinished event. */
export interface StreamFilter {
  push(bytes: Uint8Array): Uint8Array
  /** What is still held when the stream ended. */
  end(): Uint8Array
}

/** Head of the provider's answer. */
export interface ResponseHead {
  readonly statusCode: number
  readonly contentType: string
}

/** Folds the decoded bytes of one answer, in any chunking, in bounded memory. Never throws. */
export interface Meter {
  push(bytes: Uint8Array): void
  /** The reading; `complete: false` when the answer was cut off (then what was billed may be only partly known). */
  end(options: { readonly complete: boolean }): Reading
}

/** What a row keeps of an answer. */
export interface StoredResponse {
  readonly method: string
  readonly path: string
  /** The model that answered, else the one that was asked for. */
  readonly model: string | undefined
  /** `raw` of the reading, as JSON gives it back. */
  readonly raw: unknown
}

/** One API dialect: pure functions, one literal per file. */
export interface Dialect {
  readonly format: Format
  prepare(exchange: ProviderRequest, options: { readonly injectStreamUsage: boolean }): PreparedRequest
  /** undefined: nothing to read in such an answer (then the reading is NO_READING, or free by `isFree`). */
  createMeter(exchange: ProviderRequest, head: ResponseHead): Meter | undefined
  /** The reading of an answer whose row is all that is left, so that it can be priced again; undefined: it holds no usage. */
  reread(stored: StoredResponse): Reading | undefined
  /** Free by the provider's own rule: count_tokens, models, moderations, GET of a stored response, … */
  isFree(exchange: ProviderRequest): boolean
  /** The credential that the request carries for this provider, for `provider_api_key_hash`; undefined: none. */
  readCredential(exchange: ProviderRequest): string | undefined
  /** A refusal of the gateway's own as a JSON text in this dialect. */
  errorBody(code: GatewayErrorCode, status: number, message: string): string
  /** The provider's own words in an error answer's body, at most 500 characters, credentials blotted out; undefined: none. */
  readErrorMessage(body: Uint8Array): string | undefined
}

/** A provider as configured: who, where, and which dialect. */
export interface Provider {
  readonly name: string
  readonly format: Format
  /** `https://host[:port][/prefix]`, no slash at the end. */
  readonly baseUrl: string
}
