import type { ServerResponse } from "node:http"
import type { Outcome } from "../core/call.ts"
import type { Cost } from "../core/cost.ts"
import { GatewayError } from "../core/errors.ts"
import { NO_READING, type Reading } from "../core/usage.ts"
import type { Meter, StreamFilter } from "../providers/_provider.ts"
import { type AnswerPlan, MAX_COLLECTED_BYTES, planAnswer } from "./answer.ts"
import { createTap, type Tap } from "./decode.ts"
import type { Exchanged } from "./exchanged.ts"
import { toUpstreamError } from "./forward.ts"
import { toClientHeaders, toHeaderRecord } from "./headers.ts"
import { refuse } from "./refuse.ts"

const NOTHING = Buffer.alloc(0)
const MAX_ERROR_BODY_BYTES = 64 * 1024
const MAX_TEXT_BYTES = 16 * 1024
const STATUS_CLIENT_LEFT = 499

/**
 * Carries one answer from the provider to the client, as undici's dispatcher calls it. A class with fields and no
 * closures, for this is the hot path. Whatever happens first (end, error, the client's leaving) decides the one
 * Ending; all that comes later finds `ended` set.
 */
export class Relay {
  private readonly x: Exchanged
  private readonly response: ServerResponse
  private abort: ((reason: Error) => void) | undefined
  private resume: (() => void) | undefined
  private ended = false
  private injected: boolean
  private statusCode = 0
  private statusText = ""
  private rawHeaders: readonly Buffer[] = []
  private plan: AnswerPlan | undefined
  private collecting = false
  private pieces: Buffer[] = []
  private bytes = 0
  private meter: Meter | undefined
  private tap: Tap | undefined
  private filter: StreamFilter | undefined
  /** What the filter held when the stream ended. */
  private rest: Buffer | undefined
  private errorBody: Buffer = NOTHING
  private firstByteMs: number | undefined
  private stallTimer: NodeJS.Timeout | undefined

  constructor(exchanged: Exchanged) {
    this.x = exchanged
    this.response = exchanged.response
    this.injected = exchanged.prepared.body !== undefined
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
    this.rawHeaders = rawHeaders
    this.resume = resume
    const plan = planAnswer(rawHeaders, { path: this.x.exchange.path, statusCode })
    this.plan = plan
    this.collecting = plan.collect
    this.openMeter(plan)
    // An answer that came compressed although we asked for plain bytes goes on as it is.
    if (this.injected && plan.streamed && !isCoded(plan)) this.filter = this.x.prepared.createFilter?.()
    if (!plan.collect && this.sendHead([])) this.response.flushHeaders()
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
    return this.write(visible)
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
    const error = this.statusCode >= 400 ? this.x.dialect.errorMessage(this.errorBody) : undefined
    this.settle("complete", reading, error, (cost) => this.deliver(cost))
  }

  /** The row is kept: the answer may end. */
  private deliver(cost: Cost): void {
    if (this.response.destroyed) return
    if (!this.collecting) {
      this.response.end(this.rest)
    } else {
      const head = ["X-Majordomo-Cost-Status", cost.status]
      if (cost.totalCost !== undefined) head.push("X-Majordomo-Cost", cost.totalCost)
      if (this.mayHaveBody()) head.push("Content-Length", String(this.bytes))
      if (this.sendHead(head)) this.endWith(this.pieces.length === 1 ? this.pieces[0]! : Buffer.concat(this.pieces))
    }
    if (this.response.writableLength > 0) this.watchStall()
  }

  /** As latin1 text a short body leaves in one write with the head; as bytes it would be a write of its own. */
  private endWith(body: Buffer): void {
    if (body.length <= MAX_TEXT_BYTES) this.response.end(body.toString("latin1"), "latin1")
    else this.response.end(body)
  }

  /** The provider broke off after its head: so does the client's connection, for a clean end would be a lie. */
  private onBroken(error: Error): void {
    const cause = toUpstreamError(error, this.x.route.provider.name).code
    const message = cause === "provider_timeout" ? "the provider stopped sending" : "the provider broke off its answer"
    this.settleCut("upstream_broke", message)
    // What has come goes out still; then the connection ends without the answer's end.
    this.response.socket?.destroySoon()
  }

  /** The end of every answer to the client; one that has not been settled yet was left by its client. */
  private onClosed(): void {
    clearTimeout(this.stallTimer)
    if (this.ended) return
    if (this.statusCode === 0) this.statusCode = STATUS_CLIENT_LEFT
    this.settleCut("client_left", "the client left before the answer's end")
    this.abort?.(new Error("the client left"))
  }

  private settleCut(outcome: Outcome, error: string): void {
    // A decoder may still hold bytes that came; what it has not given by now is not waited for.
    this.settle(outcome, this.meter?.end({ complete: false }) ?? this.x.emptyReading(), error)
  }

  private settle(outcome: Outcome, reading: Reading, error: string | undefined, onKept?: (cost: Cost) => void): void {
    this.ended = true
    const { statusCode, firstByteMs, rawHeaders } = this
    const streamed = this.plan?.streamed ?? false
    this.x.settle({ outcome, statusCode, firstByteMs, streamed, error, reading, rawHeaders }, onKept)
  }

  private refuse(error: GatewayError): void {
    refuse(this.response, { error, dialect: this.x.dialect, id: this.x.call.id, close: false })
  }

  private openMeter(plan: AnswerPlan): void {
    const head = {
      statusCode: this.statusCode,
      contentType: plan.contentType,
      headers: toHeaderRecord(this.rawHeaders),
    }
    const meter = this.x.dialect.createMeter(this.x.exchange, head)
    this.meter = this.statusCode >= 400 ? this.keepingErrorBody(meter) : meter
    this.tap = this.meter && createTap(plan.contentEncoding, this.meter)
  }

  /** Of an error answer the decoded text is kept too, for the row's message and to see what was refused. */
  private keepingErrorBody(meter: Meter | undefined): Meter {
    return {
      push: (bytes) => {
        if (this.errorBody.length < MAX_ERROR_BODY_BYTES) this.errorBody = Buffer.concat([this.errorBody, bytes])
        meter?.push(bytes)
      },
      end: (options) => meter?.end(options) ?? this.x.emptyReading(),
    }
  }

  private sendHead(extra: readonly string[]): boolean {
    const dropLength = this.filter !== undefined || (this.collecting && this.mayHaveBody())
    const headers = toClientHeaders(this.rawHeaders, { dropLength })
    headers.push("X-Majordomo-Request-Id", this.x.call.id, ...extra)
    try {
      this.response.writeHead(this.statusCode, this.statusText, headers)
      return true
    } catch {
      this.onUnsendableHead()
      return false
    }
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
    return this.write(Buffer.concat(pieces, this.bytes))
  }

  private write(bytes: Buffer): boolean {
    if (bytes.length === 0 || this.response.write(bytes)) return true
    this.watchStall()
    this.response.once("drain", () => {
      clearTimeout(this.stallTimer)
      this.resume?.()
    })
    return false
  }

  /** Until `drain`, or `close`, which comes after every answer. */
  private watchStall(): void {
    clearTimeout(this.stallTimer)
    this.stallTimer = setTimeout(() => this.response.destroy(), this.x.writeTimeoutMs)
  }

  private mayHaveBody(): boolean {
    return this.x.call.method !== "HEAD" && this.statusCode !== 204 && this.statusCode !== 304
  }

  private isRefusalOfInjection(): boolean {
    if (this.statusCode !== 400 && this.statusCode !== 422) return false
    return /stream_options|include_usage/.test(this.errorBody.toString("latin1"))
  }

  /** A provider that does not know `stream_options` gets the request again as the client sent it. */
  private askAgain(): void {
    this.injected = false
    this.x.capture?.restart()
    this.statusCode = 0
    this.pieces = []
    this.bytes = 0
    this.errorBody = NOTHING
    this.x.dispatch(this, false)
  }
}

function isCoded(plan: AnswerPlan): boolean {
  return plan.contentEncoding !== undefined && plan.contentEncoding.toLowerCase() !== "identity"
}
