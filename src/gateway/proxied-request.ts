import type { ServerResponse } from "node:http"
import type { Call, Caller, Ending, RawHeaders } from "../core/call.ts"
import type { Cost } from "../core/cost.ts"
import { NO_READING, type Reading } from "../core/usage.ts"
import type { Dialect, PreparedRequest, ProviderRequest } from "../providers/_dialect.ts"
import { isLarge, lengthOf, toSendable } from "./body.ts"
import type { Counters } from "./counters.ts"
import { hashOncePerSocket } from "./credential-hash.ts"
import type { BodyCapture, Deps } from "./deps.ts"
import type { AnswerHandler, Upstream } from "./forward.ts"
import { toUpstreamHeaders } from "./headers.ts"
import { toLogRecord, toLogStart } from "./record.ts"
import type { Route } from "./route.ts"

/** What is known of a request when it is sent on: everything but the answer. */
export interface Sent {
  readonly deps: Deps
  readonly call: Call
  readonly caller: Caller
  readonly route: Route
  readonly upstream: Upstream
  readonly dialect: Dialect
  readonly response: ServerResponse
  /** `performance.now()` at the request's arrival: durations do not jump with the clock. */
  readonly startedAt: number
  readonly tally: Counters
}

type StoredBodies = ReturnType<BodyCapture["finish"]>

/** One request on its way: what the relay may ask and do, and the single place where its row is made. */
export class ProxiedRequest {
  readonly call: Call
  readonly route: Route
  readonly dialect: Dialect
  readonly response: ServerResponse
  readonly exchange: ProviderRequest
  readonly prepared: PreparedRequest
  readonly writeTimeoutMs: number
  readonly tally: Counters
  readonly capture: BodyCapture | undefined
  private readonly sent: Sent
  private credentialHash: string | undefined
  private begun = false

  constructor(sent: Sent) {
    this.sent = sent
    this.call = sent.call
    this.route = sent.route
    this.dialect = sent.dialect
    this.response = sent.response
    this.tally = sent.tally
    this.writeTimeoutMs = sent.deps.settings.writeTimeoutMs
    const { call, route, upstream } = sent
    this.capture = sent.deps.openBodies?.(call, sent.caller)
    const { body } = call
    this.exchange = {
      provider: route.provider.name,
      method: call.method,
      path: route.path,
      query: call.query,
      headers: call.headers,
      body: isLarge(body) ? body.outline : body,
      readStart: isLarge(body) ? (maxBytes) => body.read(maxBytes) : undefined,
      host: upstream.host,
    }
    this.prepared = sent.dialect.prepare(this.exchange, { injectStreamUsage: sent.deps.settings.injectStreamUsage })
  }

  elapsedMs(): number {
    return performance.now() - this.sent.startedAt
  }

  /** Milliseconds since the epoch, by the clock that does not jump. */
  now(): number {
    return this.call.receivedAt + this.elapsedMs()
  }

  /** Sends the request. Whatever goes wrong reaches `answer` as an error of its own, never as an exception. */
  dispatch(answer: AnswerHandler, injected: boolean): void {
    const { call, route, upstream } = this.sent
    const { body } = call
    const edit = injected ? this.prepared.edit : undefined
    if (!this.begun) this.begin()
    try {
      const headers = toUpstreamHeaders(call.rawHeaders, call.headers, { identityOnly: injected })
      if (isLarge(body)) headers.push("content-length", String(lengthOf(body, edit)))
      upstream.pool().dispatch(
        {
          path: upstream.prefix + route.path + call.query,
          method: call.method as "POST",
          headers,
          body: toSendable(body, edit),
        },
        answer,
      )
    } catch (error) {
      answer.onError(error as Error)
    }
  }

  /** From here on the provider may bill the request, so it has a row even if this process is killed. */
  private begin(): void {
    this.begun = true
    const { deps, call, caller, route } = this.sent
    if (deps.recordIntent === undefined) return
    try {
      const { requestedModel } = this.prepared
      const credentialHash = this.hashCredential()
      deps.recordIntent(toLogStart({ call, caller, provider: route.provider.name, requestedModel, credentialHash }))
    } catch (error) {
      deps.onError(error, "begin")
    }
  }

  private hashCredential(): string | undefined {
    if (this.credentialHash === undefined) {
      const credential = this.dialect.readCredential(this.exchange)
      if (credential !== undefined) this.credentialHash = hashOncePerSocket(this.response.req.socket, credential)
    }
    return this.credentialHash
  }

  /** The reading of an answer that has nothing to read. */
  emptyReading(): Reading {
    return this.dialect.isFree(this.exchange) ? { ...NO_READING, free: true } : NO_READING
  }

  /**
   * Prices the answer and writes its row; `onKept` follows soon, when the row cannot be lost any more. Never throws: a
   * bug here must not cost the client its answer.
   * @param headers of the provider's answer
   */
  settle(ending: Ending, headers: RawHeaders, onKept: (cost: Cost) => void = ignore): void {
    const { deps } = this.sent
    // The bodies come first: a row may only name an object that is sure to come.
    const bodies = this.capture?.finish({ statusCode: ending.statusCode, headers })
    const { countable } = ending.reading
    if (!countable || !deps.countText) {
      this.keep(ending, bodies, onKept)
      return
    }
    // Nobody waits for the end of an answer that was cut: its row may come a moment later.
    void deps
      .countText(countable)
      .then((reading) => this.keep({ ...ending, reading: reading ?? ending.reading }, bodies, onKept))
  }

  private keep(ending: Ending, bodies: StoredBodies | undefined, onKept: (cost: Cost) => void): void {
    const { deps, call, caller, route } = this.sent
    const cost = this.price(ending)
    try {
      const { requestedModel } = this.prepared
      const credentialHash = this.hashCredential()
      const known = { call, caller, provider: route.provider.name, requestedModel, credentialHash, ending, cost }
      const record = toLogRecord({ ...known, credentials: this.dialect.credentials })
      // What ends with its last piece ends in the same write to the client, if its row is kept without waiting.
      const when = ending.streamed ? "now" : "soon"
      deps.record(bodies ? { ...record, ...bodies } : record, () => onKept(cost), when)
    } catch (error) {
      deps.onError(error, "settle")
      onKept(cost)
    }
    if (isLarge(call.body)) call.body.close()
  }

  /** A price that cannot be worked out costs the request its price, not its row. */
  private price({ reading, statusCode }: Ending): Cost {
    const { deps, call, route } = this.sent
    try {
      return deps.price({
        provider: route.provider.name,
        requestedModel: this.prepared.requestedModel,
        reading,
        at: call.receivedAt,
        failed: statusCode >= 400,
      })
    } catch (error) {
      deps.onError(error, "price")
      return UNPRICED
    }
  }
}

function ignore(): void {}

const UNPRICED: Cost = {
  status: "unpriced",
  inputCost: undefined,
  outputCost: undefined,
  totalCost: undefined,
  price: undefined,
}
