import type { ServerResponse } from "node:http"
import type { Call, Caller, Ending } from "../core/call.ts"
import type { Billing, Cost } from "../core/cost.ts"
import type { JobNote } from "../core/job.ts"
import type { LogRecord } from "../core/log-record.ts"
import { secretOf, secretsOf } from "../core/provider-credential.ts"
import { readCredential } from "../providers/_credentials.ts"
import type { AnswerDescription } from "../providers/_description.ts"
import type { Dialect, PreparedRequest, PrepareOptions, ProviderRequest } from "../providers/_dialect.ts"
import type { AnswerIdentity } from "./answer-identity.ts"
import { findBilling } from "./billing.ts"
import type { BodyCapture, BodyColumns } from "./body-capture.ts"
import { type CostDelivery, readCostDelivery } from "./cost-delivery.ts"
import { hashOncePerSocket } from "./credential-hash.ts"
import type { Lane, Waiter } from "./fair-queue.ts"
import type { RunningReservation } from "./limits/running-reservation.ts"
import { isEncoded, type ReadableBody, toReadableBody } from "./readable-body.ts"
import type { Route } from "./route.ts"
import type { RequestCredentials } from "./supply.ts"
import type { Upstream } from "./upstreams.ts"

/** The results of the steps before `forward`. */
export interface AdmittedRequest {
  readonly call: Call
  /** The decoded body, if the client sent it compressed. */
  readonly decoded: ReadableBody | undefined
  readonly caller: Caller
  readonly route: Route
  readonly credentials: RequestCredentials
  readonly dialect: Dialect
  readonly upstream: Upstream
  readonly response: ServerResponse
  /** `performance.now()` when the request arrived. */
  readonly startedAt: number
  readonly capture: BodyCapture | undefined
  readonly settings: PrepareOptions
}

const NO_SECRETS: readonly string[] = []

/**
 * All that is known of one request. Each step of the pipeline adds to this object, and no step copies it. It is a class
 * because the hot path needs one object whose fields are all there from the beginning.
 */
export class ProxiedRequest {
  readonly call: Call
  readonly caller: Caller
  readonly route: Route
  readonly credentials: RequestCredentials
  readonly dialect: Dialect
  readonly upstream: Upstream
  readonly response: ServerResponse
  readonly capture: BodyCapture | undefined
  /** The part of the request that the dialect reads. */
  readonly providerRequest: ProviderRequest
  readonly prepared: PreparedRequest
  /** How the client gets the cost of a streamed answer; undefined: it did not ask for it. */
  readonly costDelivery: CostDelivery | undefined
  /** The hash of the credential that the provider gets; undefined: there is none. */
  readonly credentialHash: string | undefined
  /** The secret texts that the gateway adds to the request, which no row, stored body or client may get. */
  suppliedSecrets: readonly string[]
  /** How the request is paid, if not by the provider's bill for tokens. The answer can say that it is billed all the same. */
  billing: Billing | undefined
  /** Added by `reserve`: what the request holds of the limits that apply to it; undefined: none does. */
  reservation: RunningReservation | undefined
  /** Added by `forward`: the ledger has the intent of the request. */
  hasIntent = false
  /** Added by `forward`: the connection that the request uses, or waits for. */
  lane: Lane | undefined
  waiter: Waiter | undefined
  /** Added by the meter: what the answer says about a job of the provider. */
  job: JobNote | undefined
  /** Added by the meter if telemetry asks for it: how the answer describes itself. */
  description: AnswerDescription | undefined
  /** Added by `settle`. */
  ending: Ending | undefined
  bodies: BodyColumns | undefined
  cost: Cost | undefined
  /** Added by `settle` if clients may report the request too: what tells whether a report is about it. */
  identity: AnswerIdentity | undefined
  /** The row, added by `record`. */
  record: LogRecord | undefined
  private readonly startedAt: number

  /** @throws when the dialect cannot prepare the request, which is a bug */
  constructor(admitted: AdmittedRequest) {
    const { call, route, dialect, upstream, response } = admitted
    this.call = call
    this.caller = admitted.caller
    this.route = route
    this.credentials = admitted.credentials
    this.dialect = dialect
    this.upstream = upstream
    this.response = response
    this.startedAt = admitted.startedAt
    this.capture = admitted.capture
    this.costDelivery = readCostDelivery(call.headers)
    this.providerRequest = toProviderRequest(call, route, upstream, admitted.decoded ?? toReadableBody(call.body))
    // A compressed body is forwarded as it came, so that it cannot be edited.
    const injectStreamUsage = admitted.settings.injectStreamUsage && !isEncoded(call.headers)
    const { rewriteResultUrls, describesRequests } = admitted.settings
    this.prepared = dialect.prepare(this.providerRequest, { injectStreamUsage, rewriteResultUrls, describesRequests })
    const { supplied, places } = admitted.credentials
    const credential = supplied ? secretOf(supplied) : readOwnCredential(dialect, this.providerRequest, places)
    this.suppliedSecrets = supplied ? secretsOf(supplied) : NO_SECRETS
    this.credentialHash = credential === undefined ? undefined : hashOncePerSocket(response.req.socket, credential)
    this.billing = findBilling(route.provider, dialect, credential, call)
  }

  /** Milliseconds since the request arrived, by a clock that never jumps. */
  elapsedMs(): number {
    return performance.now() - this.startedAt
  }

  /** Milliseconds since the epoch, by the same clock. */
  now(): number {
    return this.call.receivedAt + this.elapsedMs()
  }
}

/** A request whose answer has ended and is priced. */
export type SettledRequest = ProxiedRequest & { readonly ending: Ending; readonly cost: Cost }

/** A request whose row was given to the ledger. */
export type RecordedRequest = SettledRequest & { readonly record: LogRecord }

/** Returns the client's credential. A cloud takes its own kind of key for the API of another maker too. */
function readOwnCredential(
  dialect: Dialect,
  request: ProviderRequest,
  places: RequestCredentials["places"],
): string | undefined {
  return dialect.readCredential(request) ?? (places && readCredential(places, request))
}

function toProviderRequest(call: Call, route: Route, upstream: Upstream, readable: ReadableBody): ProviderRequest {
  return {
    provider: route.provider.name,
    method: call.method,
    path: route.path,
    query: call.query,
    headers: call.headers,
    body: readable.body,
    readStart: readable.readStart,
    host: upstream.host,
  }
}
