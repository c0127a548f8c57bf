import type { ServerResponse } from "node:http"
import type { Outcome } from "../core/call.ts"
import type { GatewayError } from "../core/errors.ts"
import { findRaw } from "../core/raw-headers.ts"
import { NO_READING, type Reading } from "../core/usage.ts"
import type { ResponseHandler } from "../kit/http/exchange.ts"
import { createFilter } from "./answer-filter.ts"
import { AnswerMeter, emptyReading } from "./answer-meter.ts"
import { ClientResponse } from "./client-response.ts"
import { CollectedAnswer } from "./collected-answer.ts"
import { INTERRUPTIONS, STATUS_CLIENT_CLOSED_REQUEST, toInterruption } from "./endings.ts"
import { guardHead } from "./error-guard.ts"
import { release } from "./forward.ts"
import { mayHaveBody, toClientHeaders } from "./headers.ts"
import type { HeldAnswer } from "./held-answers.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import type { Phase, RelaySteps } from "./relay-steps.ts"
import { type AnswerFilter, type AnswerHead, NO_HEAD, planResponse, type ResponsePlan } from "./response-plan.ts"
import { sendError } from "./send-error.ts"
import { StreamCost, toCostHeaders } from "./stream-cost.ts"
import { StreamedAnswer } from "./streamed-answer.ts"
import { toHeadError, toUpstreamError } from "./upstream-error.ts"

/**
 * Relays one answer from the provider to the client; the connection calls its `on…` methods. The first of end, error and
 * disconnection decides the Ending. This is the hot path: a class with fields, and no closure per piece.
 */
export class Relay implements ResponseHandler, HeldAnswer {
  private readonly steps: RelaySteps
  private readonly request: ProxiedRequest
  private readonly response: ServerResponse
  private readonly client: ClientResponse
  private phase: Phase = "waiting"
  /** Whether the request was sent with the dialect's edit. */
  private isEdited: boolean
  /** Set when the request is sent. From then on the provider may bill it. */
  private abort: ((reason: Error) => void) | undefined
  private resume: (() => void) | undefined
  private statusCode = 0
  private head: AnswerHead = NO_HEAD
  private plan: ResponsePlan | undefined
  private collected: CollectedAnswer | undefined
  private meter: AnswerMeter | undefined
  private filter: AnswerFilter | undefined
  /** Set while the answer is passed on as it arrives. */
  private stream: StreamedAnswer | undefined
  private rest: Buffer | undefined
  private firstByteMs: number | undefined

  constructor(steps: RelaySteps, request: ProxiedRequest) {
    this.steps = steps
    this.request = request
    this.response = request.response
    this.client = new ClientResponse(request.response, steps.writeTimeoutMs)
    this.isEdited = request.prepared.edit !== undefined
    this.response.on("close", this.onClosed)
  }

  start(): void {
    if (this.response.destroyed) this.onClosed()
    else this.steps.forward(this.request, this, this.isEdited)
  }

  onConnect(abort: (reason: Error) => void): void {
    this.abort = abort
    if (this.phase === "ended") abort(new Error(INTERRUPTIONS.clientLeft))
  }

  onHeaders(statusCode: number, headers: string[], resume: () => void, statusText: string): void {
    if (this.phase === "ended") return
    this.firstByteMs = this.request.elapsedMs()
    this.statusCode = statusCode
    this.head = guardHead({ statusCode, statusText, headers }, this.request)
    this.resume = resume
    const plan = planResponse(this.head.headers, { statusCode, request: this.request })
    if (plan.streamed && !this.plan?.streamed) this.steps.counters.streams++
    this.plan = plan
    this.meter = new AnswerMeter(this.steps, this.request, statusCode, plan, this.head.headers)
    this.filter = createFilter(plan, this.request, { statusCode, isEdited: this.isEdited })
    if (plan.collect) this.hold(plan)
    else this.startStreaming()
  }

  onData(chunk: Buffer): boolean {
    if (this.phase === "ended") return true
    if (this.stream) return this.stream.push(chunk)
    const isMetered = this.meter!.push(chunk, this.resume!)
    const visible = this.filter ? (this.filter.push(chunk) as Buffer) : chunk
    this.request.capture?.push(visible)
    return (this.collected!.add(visible) || this.letGo()) && isMetered
  }

  onComplete(): void {
    release(this.request)
    if (this.phase === "ended") return
    if (this.meter) this.meter.flush(() => this.onMetered())
    else this.onMetered()
  }

  onError(error: Error): void {
    release(this.request)
    if (this.phase === "ended") return
    const failure = toUpstreamError(error, this.request.route.provider.name)
    if (this.phase === "waiting") {
      this.statusCode = failure.status
      this.settle("complete", this.read(false), failure.message, () => this.sendError(failure))
    } else this.onBroken(failure)
  }

  /** The provider's whole answer has arrived and is metered. */
  private onMetered(): void {
    if (this.phase === "ended") return
    const isCollected = this.phase === "collecting"
    const { dialect } = this.request
    const errorText = this.meter?.errorText
    // The provider rejects what the dialect's edit added.
    if (isCollected && this.isEdited && errorText && dialect.retryWithout(this.statusCode, errorText)) {
      this.retryWithoutEdit()
      return
    }
    this.rest = this.filter?.end() as Buffer | undefined
    if (this.rest) this.request.capture?.push(this.rest)
    this.head = this.filter?.toHead?.(this.head) ?? this.head
    const error = errorText ? dialect.readErrorMessage(errorText) : this.meter?.streamError
    const onStored = isCollected ? () => this.sendCollected() : () => this.stream!.end(this.rest)
    this.settle("complete", this.read(true), error, onStored)
  }

  /**
   * The provider broke off after its head. The client's connection is broken off too: a regular end would mean to the
   * client that the answer is complete.
   */
  private onBroken(failure: GatewayError): void {
    this.interrupt("upstream_broke", toInterruption(failure))
    this.client.breakOff()
  }

  /** The connection to the client has closed: after its answer, or because the client disconnected. */
  readonly onClosed = (): void => {
    this.client.closed()
    if (this.plan?.streamed) this.steps.counters.streams--
    if (this.phase === "ended") return
    if (this.phase === "waiting") this.statusCode = STATUS_CLIENT_CLOSED_REQUEST
    if (this.steps.counters.isAborting) this.interrupt("shutdown", INTERRUPTIONS.aborted)
    else this.interrupt("client_left", INTERRUPTIONS.clientLeft)
    this.abort?.(new Error(INTERRUPTIONS.clientLeft))
    release(this.request)
  }

  private interrupt(outcome: Outcome, error: string): void {
    this.phase = "ended"
    const settle = () => this.settle(outcome, this.read(false), error)
    // A decoder may still hold bytes that arrived, and the usage among them.
    if (this.meter) this.meter.flush(settle)
    else settle()
  }

  private settle(outcome: Outcome, reading: Reading, error: string | undefined, onStored = () => {}): void {
    this.phase = "ended"
    this.steps.held.delete(this)
    const { statusCode, firstByteMs } = this
    const streamed = this.plan?.streamed ?? false
    const isUnanswered = this.abort !== undefined && firstByteMs === undefined
    const respondedAt = this.request.now()
    const ending = { outcome, statusCode, respondedAt, firstByteMs, streamed, error, reading, isUnanswered }
    this.steps.settle(this.request, ending, this.head.headers, onStored)
  }

  heldMs(): number {
    return this.request.elapsedMs() - (this.firstByteMs ?? 0)
  }

  private hold(plan: ResponsePlan): void {
    const isFinal = !plan.isHeldToEnd && (!this.isEdited || this.statusCode < 400)
    this.phase = "collecting"
    this.collected = new CollectedAnswer(isFinal && plan.contentEncoding === undefined)
    if (isFinal) this.steps.held.add(this)
  }

  /** Passes on what was collected. The answer goes on without its cost in the head. */
  letGo(): boolean {
    return !this.startStreaming() || this.stream!.write(this.collected!.take())
  }

  private startStreaming(): boolean {
    this.phase = "streaming"
    this.steps.held.delete(this)
    const { request, client, filter } = this
    const cost = StreamCost.plan(request, this.plan!, this.statusCode)
    if (!this.sendHead(cost?.announcement ?? [], (filter ?? cost) !== undefined)) return false
    this.stream = new StreamedAnswer({ request, client, meter: this.meter!, filter, cost, resume: this.resume! })
    return true
  }

  private sendCollected(): void {
    if (this.response.destroyed) return
    const { cost, billing, call } = this.request
    const hasBody = mayHaveBody(call.method, this.statusCode)
    const body = this.collected!.take(this.rest)
    const head = toCostHeaders(cost, billing)
    if (hasBody) head.push("Content-Length", String(body.length))
    if (this.sendHead(head, hasBody)) this.client.end(body)
  }

  private sendHead(extra: readonly string[], dropLength: boolean): boolean {
    const headers = toClientHeaders(this.head.headers, { dropLength: dropLength || this.statusCode === 204 })
    headers.push("X-Majordomo-Request-Id", this.request.call.id, ...extra)
    this.request.reservation?.addRemaining(headers)
    const hasLength =
      !mayHaveBody(this.request.call.method, this.statusCode) || findRaw(headers, "content-length") !== undefined
    if (this.client.head(this.statusCode, this.head.statusText, headers, hasLength)) return true
    this.onUnsendableHead()
    return false
  }

  /** Node rejects the status or a header (099, control characters): this request alone gets a 502. */
  private onUnsendableHead(): void {
    const error = toHeadError(this.request.route.provider.name)
    if (this.phase !== "ended") {
      this.statusCode = error.status
      this.firstByteMs = undefined
      this.settle("complete", NO_READING, error.message)
    }
    this.sendError(error)
    this.abort?.(error)
  }

  private sendError(error: GatewayError): void {
    const { dialect, call, reservation } = this.request
    sendError(this.response, { error, dialect, id: call.id, close: false, reservation })
  }

  private read(isComplete: boolean): Reading {
    return this.meter?.read(isComplete) ?? emptyReading(this.request)
  }

  /** Sends the request again, now exactly as the client sent it. */
  private retryWithoutEdit(): void {
    this.phase = "waiting"
    this.isEdited = false
    this.abort = undefined
    this.firstByteMs = undefined
    this.meter = undefined
    this.request.capture?.restart()
    this.statusCode = 0
    this.steps.forward(this.request, this, false)
  }
}
