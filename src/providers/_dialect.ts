import type { Edit, Headers, RawHeaders } from "../core/call.ts"
import type { GatewayErrorCode } from "../core/errors.ts"
import type { LimitMeasure } from "../core/limit.ts"
import type { Reading } from "../core/usage.ts"
import type { SearchedObject } from "../kit/json/members.ts"
import type { RequestAttribution } from "./_attribution.ts"
import type { CredentialPlace } from "./_credentials.ts"
import type { DescriptionReader, MeterSink } from "./_description.ts"
import type { Collector, Evidence } from "./_evidence.ts"
import type { Framing, ResponseHead } from "./_framing.ts"
import type { JobReader } from "./_jobs.ts"
import type { Meter } from "./_meter.ts"
import type { Pieces } from "./_pieces.ts"
import type { ProviderRequest } from "./_provider-request.ts"
import type { Routes } from "./_routes.ts"
import type { SocketProtocol } from "./_sockets.ts"

export type { ProviderRequest }

/** A request as its dialect prepares it before it is forwarded. */
export interface PreparedRequest {
  /** The model that the request asks for. */
  readonly requestedModel: string | undefined
  /** The change of the body that asks for usage; undefined: the body is forwarded as it came. */
  readonly edit: Edit | undefined
  /** Set together with `edit`: makes the filter that removes from the answer what only the edit caused. */
  readonly createFilter: (() => StreamFilter) | undefined
  /** Makes the filter that changes addresses in the answer, see `metering.rewrite_result_urls`; undefined: nothing is changed. */
  readonly createRewriter?: (() => StreamFilter) | undefined
  /** Whose request it is, and of which session, as the body says; undefined: it does not say. */
  readonly attribution?: RequestAttribution | undefined
  /** The members of the JSON body that `readRequest` has found; undefined: the dialect has not read it, or it is no object. */
  readonly json?: SearchedObject | undefined
  /** The client asks for a stream. This is a hint: the answer's framing decides. */
  readonly stream: boolean
}

/** The settings that decide what is changed in requests and answers. */
export interface PrepareOptions {
  readonly injectStreamUsage: boolean
  /** Whether addresses of results in answers become the gateway's: as the client called it, or this address. */
  readonly rewriteResultUrls?: boolean | string
  /** Telemetry asks for the parameters of requests, so that they are found on the way. */
  readonly describesRequests?: boolean | undefined
}

/**
 * Takes the bytes of a stream and returns those that the client may see. It holds back at most one unfinished event.
 */
export interface StreamFilter {
  push(bytes: Uint8Array): Uint8Array
  /** Returns what is still held when the stream has ended. */
  end(): Uint8Array
}

/** The logins of subscriptions, with which an API answers without a bill for tokens. */
export interface Logins {
  /** Returns true if a request's credential is such a login. */
  isLogin(credential: string, headers: Headers): boolean
  /**
   * Returns true if the provider bills this answer by its tokens although the request has a login, such as use beyond what
   * the subscription includes.
   * @param header finds a header of the answer by its name in lower case
   */
  isBilled?(header: (name: string) => string | undefined): boolean
}

/** How an API lists its models, for `server.models: own`. */
export interface ModelList {
  /** Matches the paths of the list, and of one model, whose encoded id is the first group. */
  readonly path: RegExp
  /** Returns true for a name that the API's own provider can have. Prices are also known under names that it has not. */
  isOwnName(id: string): boolean
  /** Returns one model as JSON data. The API's times of its release are not known. */
  toModel(id: string, provider: string): object
  /**
   * Returns the page that a query asks for as JSON data, or all models if it asks for none.
   * @param ids in the order of their code units, so that a page follows the one before it although the list has changed
   * @throws GatewayError `bad_request`
   */
  toList(ids: readonly string[], request: { readonly provider: string; readonly query: string }): object
}

/** One API dialect as its folder states it: pure functions and tables. `defineDialect` completes it. */
export interface DialectDefinition {
  /** The API's own provider, which is built in under the dialect's name: `https://host[:port][/prefix]`. */
  readonly baseUrl: string
  readonly routes: Routes
  /** The places where the provider's credential can stand; the first that holds one counts. */
  readonly credentials: readonly CredentialPlace[]
  /** undefined: requests for lists of models are always forwarded. */
  readonly modelList?: ModelList
  /** undefined: every credential of the API is billed. */
  readonly logins?: Logins
  /**
   * Loads what only this dialect needs. The gateway calls it for each request before it is forwarded, and waits for the
   * promise. Returns undefined when everything is loaded.
   */
  load?(): Promise<void> | undefined
  prepare(request: ProviderRequest, options: PrepareOptions): PreparedRequest
  /** Returns the model that a path names; undefined: it names none. Without it, `prepare` has read the path. */
  modelInPath?(path: string): string | undefined
  /**
   * Returns true for an error answer that rejects the edit of `prepare`. The gateway then sends the request again as
   * the client wrote it.
   */
  retryWithout?(statusCode: number, body: Uint8Array): boolean
  /** Returns how the answer is framed. Without it the content type decides. */
  framing?(request: ProviderRequest, head: ResponseHead): Framing
  /** @param headers of the answer, for an API that states usage in them; undefined: they are not known */
  createCollector(request: ProviderRequest, headers?: RawHeaders): Collector
  /** Returns true if the request states what is billed although its answer cannot be read, such as a speech. */
  isBilledByRequest?(request: ProviderRequest): boolean
  /**
   * Returns the pieces that a request orders, before it is answered. No pieces: only its input is billed. undefined: it
   * orders text. Without it, every request does.
   */
  readOrder?(request: ProviderRequest): Pieces | undefined
  /** Returns the reading of an answer. Pure: rows are priced again by it years later. */
  toReading(evidence: Evidence): Reading
  /**
   * Returns the reader for a request whose answer may create, show or deliver a job: work in the background whose usage
   * comes in a later answer. undefined: the answer says nothing about jobs, which is the usual case.
   */
  jobs?(request: ProviderRequest): JobReader | undefined
  /**
   * Returns the reader of how the answer to a request describes itself, for telemetry; undefined: it does not. It is called only
   * if somebody asks.
   */
  describes?(request: ProviderRequest): DescriptionReader | undefined
  /** How the API answers on WebSockets; undefined: it has none that the gateway knows. */
  readonly sockets?: SocketProtocol
  /**
   * Returns an error of the gateway's own as JSON text in this dialect.
   * @param measure what the limit counts that rejected the request; undefined: no limit did
   */
  errorBody(code: GatewayErrorCode, statusCode: number, message: string, measure?: LimitMeasure): string
  /**
   * Returns the provider's message in an error answer: at most 500 characters, credentials redacted. Without it the
   * shapes that most APIs use are tried.
   */
  readErrorMessage?(body: Uint8Array): string | undefined
}

/** One API dialect as the gateway uses it. */
export interface Dialect extends DialectDefinition {
  retryWithout(statusCode: number, body: Uint8Array): boolean
  framing(request: ProviderRequest, head: ResponseHead): Framing
  /**
   * Returns the meter for an answer; undefined when its framing is `opaque` and the request does not state its bill.
   * @param sink receives what the answer says about jobs and about itself; undefined: nobody asks
   * @param headers of the answer
   */
  createMeter(request: ProviderRequest, framing: Framing, sink?: MeterSink, headers?: RawHeaders): Meter | undefined
  /** Returns true if the request costs nothing by the provider's own rule: count_tokens, models, moderations, … */
  isFree(request: Pick<ProviderRequest, "method" | "path">): boolean
  /** Returns the credential that the request carries for this provider, for `provider_api_key_hash`. */
  readCredential(request: Pick<ProviderRequest, "headers" | "query">): string | undefined
  readErrorMessage(body: Uint8Array): string | undefined
}
