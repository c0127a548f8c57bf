import type { Call, Caller } from "../core/call.ts"
import type { BodyColumns, Capture, CapturedBody, CapturedExchange, ResponseHead, Sink } from "./_store.ts"
import { decodeBody } from "./decode.ts"
import { type Rules, redact, redactHeaders } from "./redact.ts"
import { redactCredentials, redactHeaders_, redactQuery } from "./secrets.ts"

/** Pieces are kept as they are; so many small ones are then joined, for each has a cost of its own. */
const MAX_PIECES = 256
/** What has to be looked into is looked into before it is stored, on the spot: so much of it and no more. */
export const MAX_INSPECTED_BYTES = 1 << 20
const NOTHING = Buffer.alloc(0)

export interface Capturing {
  readonly sink: Sink
  readonly rules: Rules
  readonly storeRequest: boolean
  readonly storeResponse: boolean
  /** Of one body; what follows is cut off. */
  readonly maxBodyBytes: number
  /** Of a request's body that is not in memory. */
  readonly maxReadBytes: number
  /** Shared by all captures of the process. */
  readonly budget: Budget
}

/** Bytes that captures may hold together. */
export interface Budget {
  used: number
  readonly max: number
  /** Bodies that were cut, for whatever reason. */
  cuts: number
}

/** Keeps the bytes of one request. A class with fields and no closures, for every piece of a stream passes it. */
export class RunningCapture implements Capture {
  private readonly to: Capturing
  private readonly call: Call
  private readonly caller: Caller
  private pieces: Buffer[] = []
  private heldBytes = 0
  private totalBytes = 0
  private isFull = false

  constructor(to: Capturing, call: Call, caller: Caller) {
    this.to = to
    this.call = call
    this.caller = caller
  }

  push(bytes: Buffer): void {
    this.totalBytes += bytes.length
    if (this.isFull || !this.to.storeResponse) return
    const { budget, maxBodyBytes } = this.to
    const room = Math.min(maxBodyBytes - this.heldBytes, budget.max - budget.used)
    const taken = bytes.length <= room ? bytes : bytes.subarray(0, Math.max(0, room))
    if (taken !== bytes) this.isFull = true
    if (taken.length === 0) return
    this.pieces.push(taken)
    this.heldBytes += taken.length
    budget.used += taken.length
    if (this.pieces.length > MAX_PIECES) this.pieces = [Buffer.concat(this.pieces, this.heldBytes)]
  }

  restart(): void {
    this.to.budget.used -= this.heldBytes
    this.pieces = []
    this.heldBytes = 0
    this.totalBytes = 0
    this.isFull = false
  }

  finish(answer: ResponseHead): BodyColumns {
    const { sink, budget } = this.to
    const pieces = this.pieces
    let held = this.heldBytes
    this.pieces = []
    this.heldBytes = 0
    const release = () => {
      budget.used -= held
      held = 0
    }
    try {
      const exchange = this.toExchange(answer, pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces))
      for (const body of [exchange.request, exchange.response]) if (body?.isTruncated) budget.cuts++
      const requestBytes = exchange.request?.bytes.length ?? 0
      held += requestBytes
      budget.used += requestBytes
      return sink.keep(exchange, this.caller.keyId, release)
    } catch {
      // A bug here must not cost the request its row.
      release()
      return {}
    }
  }

  private toExchange(answer: ResponseHead, response: Buffer): CapturedExchange {
    const { call, to } = this
    const credentials: string[] = []
    const note = (credential: string) => credentials.push(credential)
    const requestHeaders = redactHeaders_(call.rawHeaders, note)
    const responseHeaders = redactHeaders_(answer.headers)
    const path = call.path + redactQuery(call.query, note)
    const find = (name: string) => findHeader(responseHeaders, name)
    return {
      id: call.id,
      receivedAt: call.receivedAt,
      method: call.method,
      path,
      requestHeaders: redactHeaders(requestHeaders, to.rules),
      statusCode: answer.statusCode,
      responseHeaders: redactHeaders(responseHeaders, to.rules),
      request: to.storeRequest
        ? this.toBody(
            this.requestBytes(),
            call.body.length,
            textOf(call.headers["content-type"]),
            textOf(call.headers["content-encoding"]),
            [],
          )
        : undefined,
      response: to.storeResponse
        ? this.toBody(
            response,
            this.totalBytes,
            find("content-type"),
            find("content-encoding"),
            answer.statusCode >= 400 ? credentials : [],
          )
        : undefined,
    }
  }

  private requestBytes(): Buffer {
    const { body } = this.call
    if (Buffer.isBuffer(body)) return body
    const { budget, maxReadBytes } = this.to
    return body.read(Math.min(maxReadBytes, Math.max(0, budget.max - budget.used)))
  }

  private toBody(
    bytes: Buffer,
    totalBytes: number,
    contentType: string | undefined,
    coding: string | undefined,
    quotable: readonly string[],
  ): CapturedBody {
    const { rules, maxBodyBytes } = this.to
    const kept = bytes.length > maxBodyBytes ? bytes.subarray(0, maxBodyBytes) : bytes
    const isTruncated = kept.length < totalBytes
    if ((rules.paths === undefined && quotable.length === 0) || kept.length === 0) {
      return { bytes: kept, totalBytes, isTruncated: isTruncated, coding }
    }
    const decoded = decodeBody(kept, coding, MAX_INSPECTED_BYTES)
    if (rules.paths === undefined) {
      // Only an answer that is whole, and decoded, can be searched; another one is not kept.
      const plain = decoded === undefined ? NOTHING : redactCredentials(decoded.bytes, quotable)
      return {
        bytes: plain,
        totalBytes,
        isTruncated: isTruncated || plain === NOTHING || decoded!.isTruncated,
        coding: undefined,
      }
    }
    if (decoded === undefined || decoded.isTruncated || isTruncated) {
      const why = decoded === undefined ? "whose coding is not known" : "too many to look into"
      return {
        bytes: Buffer.from(`[redacted: ${totalBytes} bytes, ${why}]`),
        totalBytes,
        isTruncated: true,
        coding: undefined,
      }
    }
    const redacted = redact(redactCredentials(decoded.bytes, quotable), contentType, rules)
    return { bytes: redacted, totalBytes, isTruncated: false, coding: undefined }
  }
}

function findHeader(headers: Readonly<Record<string, string>>, name: string): string | undefined {
  for (const other in headers) if (other.length === name.length && other.toLowerCase() === name) return headers[other]
  return undefined
}

function textOf(value: string | string[] | undefined): string | undefined {
  return value === undefined ? undefined : String(value)
}
