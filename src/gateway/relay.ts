import type { ServerResponse } from "node:http"
import type { Outcome, RawHeaders } from "../core/call.ts"
import type { Cost } from "../core/cost.ts"
import { GatewayError } from "../core/errors.ts"
import { NO_READING, type Reading } from "../core/usage.ts"
import type { StreamFilter } from "../providers/_dialect.ts"
import type { Meter } from "../providers/_meter.ts"
import { ClientResponse } from "./client-response.ts"
import { createTap, type Tap } from "./decode.ts"
import { createErrorBodyMeter, type ErrorBodyMeter } from "./error-body.ts"
import { toUpstreamError } from "./forward.ts"
import { decodeHeaders, toClientHeaders } from "./headers.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import { MAX_COLLECTED_BYTES, planResponse, type ResponsePlan } from "./response-plan.ts"
import { sendError } from "./send-error.ts"

/** No answer reached the client: nginx's word for it, which log readers know. */
export const STATUS_CLIENT_CLOSED_REQUEST = 499
const CUT_BY_SHUTDOWN = "the gateway stopped before the answer's end: server.shutdown_timeout was over"

/**
 * Carries one answer from the provider to the client, as undici's dispatcher calls it. A class with fields and no
 * closures, for this is the hot path. Whatever happens first (end, error, the client's leaving) decides the one
 * Ending; all that comes later finds `ended` set.
 */
export class Relay {
  private readonly x: ProxiedRequest
  private readonly response: ServerResponse
  private readonly outlet: ClientResponse
  private abort: ((reason: Error) => void) | undefined
  private resume: (() => void) | undefined
  private ended = false
  private injected: boolean
  private statusCode = 0
  private statusText = ""
  private headers: RawHeaders = []
  private plan: ResponsePlan | undefined
  private collecting = false
  private pieces: Buffer[] = []
  private bytes = 0
  private meter: Meter | undefined
  private tap: Tap | undefined
  private filter: StreamFilter | undefined
  /** What the filter held when the stream ended. */
  private rest: Buffer | undefined
  private errorBody: ErrorBodyMeter | undefined
  private firstByteMs: number | undefined

  constructor(exchanged: ProxiedRequest) {
    this.x = exchanged
    this.response = exchanged.response
    this.outlet = new ClientResponse(exchanged.response, exchanged.writeTimeoutMs)
    this.injected = exchanged.prepared.edit !== undefined
    this.response.once("close", () => this.onClosed())
  }

  start(): void {
    if (this.response.destroyed) {
      this.onClosed()
      return
    }
    this.x.dispatch(this, this.injected)
  }

  onConnect(abort: (reason?: Error) => void): void {
    this.abort = abort
    if (this.ended) abort()
  }

  onHeaders(statusCode: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean {
    if (statusCode < 200 || this.ended) return true
    this.firstByteMs = this.x.elapsedMs()
    this.statusCode = statusCode
    this.statusText = statusText
    this.headers = decodeHeaders(rawHeaders)
    this.resume = resume
    const { dialect, exchange } = this.x
    const plan = planResponse(this.headers, { statusCode, dialect, request: exchange })
    if (plan.streamed && !this.plan?.streamed) this.x.tally.streams++
    this.plan = plan
    this.collecting = plan.collect
    this.openMeter(plan)
    // An answer that came compressed although we asked for plain bytes goes on as it is.
    if (this.injected && plan.streamed && !isCoded(plan)) this.filter = this.x.prepared.createFilter?.()
    if (!plan.collect && this.sendHead([])) this.outlet.flushHead()
    return true
  }

  onData(chunk: Buffer): boolean {
    if (this.ended) return true
    this.tap?.push(chunk)
    if (this.collecting) {
      this.x.capture?.push(chunk)
      this.pieces.push(chunk)
      this.bytes += chunk.length
      return this.bytes <= MAX_COLLECTED_BYTES || this.stopCollecting()
    }
    const visible = this.filter ? (this.filter.push(chunk) as Buffer) : chunk
    this.x.capture?.push(visible)
    return this.outlet.write(visible, this.resume!)
  }

  onComplete(): void {
    if (this.ended) return
    if (this.tap) this.tap.end(() => this.onMetered())
    else this.onMetered()
  }

  onError(error: Error): void {
    if (this.ended) return
    if (this.statusCode !== 0) {
      this.onBroken(error)
      return
    }
    const refusal = toUpstreamError(error, this.x.route.provider.name)
    this.statusCode = refusal.status
    this.settle("complete", NO_READING, refusal.message, () => this.refuse(refusal))
  }

  /** The provider's whole answer has come and is metered. */
  private onMetered(): void {
    if (this.ended) return
    if (this.collecting && this.injected && this.isRefusalOfInjection()) {
      this.askAgain()
      return
    }
    this.rest = this.filter?.end() as Buffer | undefined
    if (this.rest) this.x.capture?.push(this.rest)
    const reading = this.meter?.end({ complete: true }) ?? this.x.emptyReading()
    const error = this.errorBody && this.x.dialect.readErrorMessage(this.errorBody.text)
    this.settle("complete", reading, error, (cost) => this.deliver(cost))
  }

  /** The row is kept: the answer may end. */
  private deliver(cost: Cost): void {
    if (this.response.destroyed) return
    if (!this.collecting) {
      this.outlet.end(this.rest)
      return
    }
    const head = ["X-Majordomo-Cost-Status", cost.status]
    if (cost.totalCost !== undefined) head.push("X-Majordomo-Cost", cost.totalCost)
    if (this.mayHaveBody()) head.push("Content-Length", String(this.bytes))
    const body = this.pieces.length === 1 ? this.pieces[0]! : Buffer.concat(this.pieces, this.bytes)
    if (this.sendHead(head)) this.outlet.end(body)
  }

  /** The provider broke off after its head: so does the client's connection, for a clean end would be a lie. */
  private onBroken(error: Error): void {
    const cause = toUpstreamError(error, this.x.route.provider.name).code
    const message = cause === "provider_timeout" ? "the provider stopped sending" : "the provider broke off its answer"
    this.settleCut("upstream_broke", message)
    this.outlet.breakOff()
  }

  /** The end of every answer to the client; one that has not been settled yet was left by its client. */
  private onClosed(): void {
    this.outlet.closed()
    if (this.plan?.streamed) this.x.tally.streams--
    if (this.ended) return
    if (this.statusCode === 0) this.statusCode = STATUS_CLIENT_CLOSED_REQUEST
    if (this.x.tally.isAborting) this.settleCut("gateway_died", CUT_BY_SHUTDOWN)
    else this.settleCut("client_left", "the client left before the answer's end")
    this.abort?.(new Error("the client left"))
  }

  private settleCut(outcome: Outcome, error: string): void {
    this.ended = true
    const settle = () => this.settle(outcome, this.meter?.end({ complete: false }) ?? this.x.emptyReading(), error)
    // A decoder may still hold bytes that came, and the usage among them; at a shutdown there is no time for it.
    if (this.tap && !this.x.tally.isAborting) this.tap.end(settle)
    else settle()
  }

  private settle(outcome: Outcome, reading: Reading, error: string | undefined, onKept?: (cost: Cost) => void): void {
    this.ended = true
    const { statusCode, firstByteMs, headers } = this
    const streamed = this.plan?.streamed ?? false
    const respondedAt = this.x.now()
    this.x.settle({ outcome, statusCode, respondedAt, firstByteMs, streamed, error, reading }, headers, onKept)
  }

  private refuse(error: GatewayError): void {
    sendError(this.response, { error, dialect: this.x.dialect, id: this.x.call.id, close: false })
  }

  private openMeter(plan: ResponsePlan): void {
    const meter = this.x.dialect.createMeter(this.x.exchange, plan.framing)
    this.errorBody = this.statusCode >= 400 ? createErrorBodyMeter(meter, () => this.x.emptyReading()) : undefined
    this.meter = this.errorBody ?? meter
    this.tap = this.meter && createTap(plan.contentEncoding, this.meter, plan.collect)
  }

  private sendHead(extra: readonly string[]): boolean {
    const dropLength = this.filter !== undefined || (this.collecting && this.mayHaveBody())
    const headers = toClientHeaders(this.headers, { dropLength })
    headers.push("X-Majordomo-Request-Id", this.x.call.id)
    for (const part of extra) headers.push(part)
    if (this.outlet.head(this.statusCode, this.statusText, headers)) return true
    this.onUnsendableHead()
    return false
  }

  /** A status or header that node will not write (099, control characters): a 502 for this request alone. */
  private onUnsendableHead(): void {
    const name = this.x.route.provider.name
    const error = new GatewayError("provider_unreachable", `The provider ${name} answered with an invalid head.`)
    if (!this.ended) {
      this.statusCode = error.status
      this.settle("complete", NO_READING, error.message)
    }
    this.refuse(error)
    this.abort?.(error)
  }

  private stopCollecting(): boolean {
    this.collecting = false
    if (!this.sendHead([])) return true
    const pieces = this.pieces
    this.pieces = []
    return this.outlet.write(Buffer.concat(pieces, this.bytes), this.resume!)
  }

  private mayHaveBody(): boolean {
    return this.x.call.method !== "HEAD" && this.statusCode !== 204 && this.statusCode !== 304
  }

  private isRefusalOfInjection(): boolean {
    return this.errorBody !== undefined && this.x.dialect.retryWithout(this.statusCode, this.errorBody.text)
  }

  /** A provider that rejected what the dialect added gets the request again as the client sent it. */
  private askAgain(): void {
    this.injected = false
    this.x.capture?.restart()
    this.statusCode = 0
    this.pieces = []
    this.bytes = 0
    this.x.dispatch(this, false)
  }
}

function isCoded(plan: ResponsePlan): boolean {
  return plan.contentEncoding !== undefined && plan.contentEncoding.toLowerCase() !== "identity"
}
