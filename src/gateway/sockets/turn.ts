import type { Outcome, RawHeaders } from "../../core/call.ts"
import { NO_READING, type Reading } from "../../core/usage.ts"
import type { Meter } from "../../providers/_meter.ts"
import { STATUS_CLIENT_CLOSED_REQUEST } from "../endings.ts"
import { JobNotes } from "../job-notes.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import type { SessionSteps } from "./session-steps.ts"

const LF = Buffer.from("\n")
const STATUS_BAD_GATEWAY = 502

/** How a turn ended, if not by a message of the provider. */
export interface Interruption {
  readonly outcome: Outcome
  readonly error: string
}

/** One response of a session: the provider's messages that belong to it are metered, and it gets one row. */
export class Turn {
  readonly request: ProxiedRequest
  /** The last message of the turn may have been one that was not read: it ends when the next turn begins. */
  isPerhapsOver = false
  hasEnded = false
  private readonly steps: SessionSteps
  /** The headers of the provider's answer to the handshake. */
  private readonly headers: RawHeaders
  private readonly jobs: JobNotes
  private readonly meter: Meter | undefined
  private firstByteMs: number | undefined
  private hasAnswer = false
  /** Messages were not read, so that what the meter has seen may be incomplete. */
  private hasGaps: boolean

  constructor(steps: SessionSteps, request: ProxiedRequest, headers: RawHeaders, hasGaps: boolean) {
    this.steps = steps
    this.request = request
    this.headers = headers
    this.hasGaps = hasGaps
    this.jobs = new JobNotes(steps, request)
    this.meter = request.dialect.createMeter(request.providerRequest, "messages", this.jobs, headers)
    steps.counters.streams++
  }

  /** The output tokens so far, as far as the meter counts them. */
  get generatedTokens(): number {
    return this.meter?.generatedTokens ?? 0
  }

  /** Takes one message of the provider, which is valid only during the call. */
  push(message: Buffer, isOutput: boolean): void {
    const { capture, reservation } = this.request
    this.hasAnswer = true
    this.isPerhapsOver = false
    if (isOutput) this.firstByteMs ??= this.request.elapsedMs()
    this.meter?.push(message)
    capture?.push(Buffer.concat([message, LF]))
    reservation?.onPiece(message.length, this)
  }

  /** A message of the provider was not read. It may belong to this turn. */
  onUnread(): void {
    this.hasGaps = true
    this.isPerhapsOver = true
    this.hasAnswer = true
  }

  /** The provider has ended the turn. */
  complete({ statusCode, error }: { readonly statusCode: number; readonly error?: string }): void {
    this.firstByteMs ??= this.request.elapsedMs()
    const reading = this.read(!this.hasGaps)
    if (!this.hasGaps && statusCode === 200) this.jobs.onWhole()
    this.end("complete", statusCode, error ?? this.meter?.error, reading)
  }

  /** The session ends before the turn. */
  interrupt({ outcome, error }: Interruption): void {
    const unanswered = outcome === "upstream_broke" ? STATUS_BAD_GATEWAY : STATUS_CLIENT_CLOSED_REQUEST
    if (this.hasAnswer) this.end(outcome, 200, error, this.read(false))
    else this.end(outcome, unanswered, error, NO_READING)
  }

  private read(isComplete: boolean): Reading {
    return this.meter?.end({ complete: isComplete }) ?? NO_READING
  }

  private end(outcome: Outcome, statusCode: number, error: string | undefined, reading: Reading): void {
    const { steps, request, firstByteMs, headers } = this
    this.hasEnded = true
    steps.counters.streams--
    const isUnanswered = !this.hasAnswer
    const respondedAt = request.now()
    const ending = { outcome, statusCode, respondedAt, firstByteMs, streamed: true, error, reading, isUnanswered }
    steps.settle(request, ending, headers, ignore)
  }
}

function ignore(): void {}
