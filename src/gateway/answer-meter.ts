import type { RawHeaders } from "../core/call.ts"
import { NO_READING, type Reading } from "../core/usage.ts"
import { Pieces } from "../kit/pieces.ts"
import type { Meter } from "../providers/_meter.ts"
import { createTap } from "./decode.ts"
import { JobNotes } from "./job-notes.ts"
import { PacedTap } from "./paced-tap.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import type { RelaySteps } from "./relay-steps.ts"
import type { ResponsePlan } from "./response-plan.ts"
import { opensSession } from "./sockets/opening.ts"

const MAX_ERROR_BYTES = 64 * 1024

/** Reads the usage of one answer from a copy of its bytes, and keeps the text of an error answer. */
export class AnswerMeter {
  private readonly request: ProxiedRequest
  private readonly meter: Meter | undefined
  private readonly errorBody: ErrorBody | undefined
  private readonly tap: PacedTap | undefined
  private readonly statusCode: number
  private readonly jobs: JobNotes

  constructor(steps: RelaySteps, request: ProxiedRequest, statusCode: number, plan: ResponsePlan, headers: RawHeaders) {
    this.request = request
    this.statusCode = statusCode
    this.jobs = new JobNotes(steps, request)
    const sink = statusCode < 300 ? this.jobs : undefined
    this.meter = request.dialect.createMeter(request.providerRequest, plan.framing, sink, headers)
    this.errorBody = statusCode >= 400 ? new ErrorBody(this.meter) : undefined
    const reader = this.errorBody ?? this.meter
    this.tap = reader && new PacedTap(createTap(plan.contentEncoding, reader, plan.collect))
  }

  /** The decoded text of an error answer, at most its first 64 KiB or so; undefined: the answer is no error. */
  get errorText(): Buffer | undefined {
    return this.errorBody?.text
  }

  /** The provider's message about the failure of a stream that had begun well; undefined: it did not fail. */
  get streamError(): string | undefined {
    return this.meter?.error
  }

  /** The output tokens so far, as far as the meter has read a stream; 0 for a document. */
  get generatedTokens(): number {
    return this.meter?.generatedTokens ?? 0
  }

  /** Returns false if the meter is so far behind that the provider has to pause until `resume` is called. */
  push(bytes: Buffer, resume: () => void): boolean {
    return this.tap === undefined || this.tap.push(bytes, resume)
  }

  /** Calls `done` when everything that was pushed is decoded and metered: usually at once, if it is not compressed. */
  flush(done: () => void): void {
    if (this.tap) this.tap.end(done)
    else done()
  }

  /** @param isComplete false if the answer was interrupted: what was billed may be known only in part */
  read(isComplete: boolean): Reading {
    this.tap?.meterNow()
    const reading = this.meter?.end({ complete: isComplete }) ?? emptyReading(this.request)
    // Status 206 is a part of a file.
    if (isComplete && this.statusCode === 200) this.jobs.onWhole()
    return reading
  }
}

/** The reading of an answer that reports no usage. A handshake asks for no response, so that nothing is billed for it. */
export function emptyReading({ call, dialect, providerRequest }: ProxiedRequest): Reading {
  return opensSession(call) || dialect.isFree(providerRequest) ? { ...NO_READING, free: true } : NO_READING
}

class ErrorBody {
  private readonly pieces = new Pieces()
  private readonly meter: Meter | undefined

  constructor(meter: Meter | undefined) {
    this.meter = meter
  }

  get text(): Buffer {
    const text = this.pieces.takeBytes()
    this.pieces.push(text)
    return text
  }

  push(bytes: Buffer): void {
    if (this.pieces.length < MAX_ERROR_BYTES) this.pieces.push(bytes)
    this.meter?.push(bytes)
  }
}
