import type { Call, Caller } from "../core/call.ts"
import type { TakenMessages } from "../core/message-capture.ts"
import { decodeBytes } from "../kit/decode-bytes.ts"
import { Pieces } from "../kit/pieces.ts"
import type { BodyColumns, Capture, CapturedBody, CapturedExchange, ResponseHead, Sink } from "./_store.ts"
import { type Rules, redact, redactHeaders } from "./redact.ts"
import { holdsCredential, redactCredentials, redactHeaders_, redactQuery, removeCredentials } from "./secrets.ts"

/** Limit on what is searched or redacted before it is stored, which happens while the answer ends. */
export const MAX_INSPECTED_BYTES = 1 << 20
/** Limit on what is decoded to search for the gateway's own credential: 8 MiB take about 25 ms. */
const MAX_SEARCHED_BYTES = 8 << 20
const NOTHING = Buffer.alloc(0)
/** The type by which the messages of a WebSocket are redacted, one per line. */
const MESSAGES = "application/x-ndjson"

interface CaptureContext {
  readonly sink: Sink
  readonly rules: Rules
  readonly storeRequest: boolean
  readonly storeResponse: boolean
  /** Limit on one body; the rest of it is not stored. */
  readonly maxBodyBytes: number
  /** Limit on what is read of a request's body that is not in memory. */
  readonly maxReadBytes: number
  /** Shared by all captures of the process. */
  readonly budget: MemoryBudget
}

/** The memory that all captures together may use. */
export interface MemoryBudget {
  used: number
  readonly max: number
  /** Bodies that were truncated, for any reason. */
  truncated: number
}

/** Captures the bytes of one request. A class without closures, because every piece of a stream passes it. */
export class RunningCapture implements Capture {
  private readonly context: CaptureContext
  private readonly call: Call
  private readonly caller: Caller
  private readonly messages: TakenMessages | undefined
  private readonly pieces = new Pieces()
  private totalBytes = 0
  private isFull = false

  /** @param messages of a turn of a WebSocket, in place of the request's body. They are in the budget already */
  constructor(context: CaptureContext, call: Call, caller: Caller, messages?: TakenMessages) {
    this.context = context
    this.call = call
    this.caller = caller
    this.messages = messages
  }

  push(bytes: Buffer): void {
    this.totalBytes += bytes.length
    if (this.isFull || !this.context.storeResponse) return
    const { budget, maxBodyBytes } = this.context
    const room = Math.min(maxBodyBytes - this.pieces.length, budget.max - budget.used)
    const taken = bytes.length <= room ? bytes : bytes.subarray(0, Math.max(0, room))
    if (taken !== bytes) this.isFull = true
    if (taken.length === 0) return
    this.pieces.push(taken)
    budget.used += taken.length
  }

  restart(): void {
    this.context.budget.used -= this.pieces.length
    this.pieces.take()
    this.totalBytes = 0
    this.isFull = false
  }

  finish(answer: ResponseHead): BodyColumns {
    const { sink, budget } = this.context
    const response = this.pieces.takeBytes()
    let held = response.length + (this.messages?.bytes.length ?? 0)
    const release = () => {
      budget.used -= held
      held = 0
    }
    try {
      const exchange = this.toExchange(answer, response)
      for (const body of [exchange.request, exchange.response]) if (body?.isTruncated) budget.truncated++
      const requestBytes = this.messages === undefined ? (exchange.request?.bytes.length ?? 0) : 0
      held += requestBytes
      budget.used += requestBytes
      return sink.keep(exchange, this.caller.keyId, release)
    } catch {
      // The request gets its row even when there is a bug here.
      release()
      return {}
    }
  }

  private toExchange(answer: ResponseHead, response: Buffer): CapturedExchange {
    const { call, context } = this
    const { supplied } = answer
    const credentials = [...supplied]
    const note = (credential: string) => credentials.push(credential)
    const requestHeaders = redactHeaders_(call.rawHeaders, note)
    const responseHeaders = removeCredentials(redactHeaders_(answer.headers), supplied)
    const path = call.path + redactQuery(call.query, note)
    const find = (name: string) => findHeader(responseHeaders, name)
    const coding = find("content-encoding")
    return {
      id: call.id,
      receivedAt: call.receivedAt,
      method: call.method,
      path,
      requestHeaders: redactHeaders(requestHeaders, context.rules),
      statusCode: answer.statusCode,
      responseHeaders: redactHeaders(responseHeaders, context.rules),
      request: context.storeRequest
        ? this.toBody(
            this.requestBytes(),
            this.messages?.totalBytes ?? call.body.length,
            this.messages === undefined ? textOf(call.headers["content-type"]) : MESSAGES,
            textOf(call.headers["content-encoding"]),
            [],
          )
        : undefined,
      response: context.storeResponse
        ? this.toBody(
            response,
            this.totalBytes,
            this.messages === undefined ? find("content-type") : MESSAGES,
            coding,
            // Who may read bodies may not know the gateway's own credential, so that it is looked for in any answer.
            answer.statusCode >= 400 ? credentials : supplied.filter(() => !this.lacks(response, coding, supplied)),
          )
        : undefined,
    }
  }

  /** Returns true if a body is known to contain none of the credentials. */
  private lacks(bytes: Buffer, coding: string | undefined, credentials: readonly string[]): boolean {
    const isTruncated = bytes.length < this.totalBytes
    if (coding === undefined) return !holdsCredential(bytes, credentials, isTruncated)
    const decoded = decodeBytes(bytes, coding, MAX_SEARCHED_BYTES)
    return decoded?.isTruncated === false && !holdsCredential(decoded.bytes, credentials, isTruncated)
  }

  private requestBytes(): Buffer {
    if (this.messages !== undefined) return this.messages.bytes
    const { body } = this.call
    if (Buffer.isBuffer(body)) return body
    const { budget, maxReadBytes } = this.context
    return body.read(Math.min(maxReadBytes, Math.max(0, budget.max - budget.used)))
  }

  private toBody(
    bytes: Buffer,
    totalBytes: number,
    contentType: string | undefined,
    coding: string | undefined,
    credentials: readonly string[],
  ): CapturedBody {
    const { rules, maxBodyBytes } = this.context
    const kept = bytes.length > maxBodyBytes ? bytes.subarray(0, maxBodyBytes) : bytes
    const isTruncated = kept.length < totalBytes
    if ((rules.paths === undefined && credentials.length === 0) || kept.length === 0) {
      return { bytes: kept, totalBytes, isTruncated: isTruncated, coding }
    }
    const decoded = decodeBytes(kept, coding, MAX_INSPECTED_BYTES)
    if (rules.paths === undefined) {
      // Only an answer that is complete and decoded can be searched for credentials. Any other is not stored.
      const isPart = isTruncated || decoded?.isTruncated === true
      const plain = decoded === undefined ? NOTHING : redactCredentials(decoded.bytes, credentials, isPart)
      return {
        bytes: plain,
        totalBytes,
        isTruncated: isPart || plain === NOTHING,
        coding: undefined,
      }
    }
    if (decoded === undefined || decoded.isTruncated || isTruncated) {
      const why = decoded === undefined ? "in an unknown coding" : "too many to redact"
      return {
        bytes: Buffer.from(`[redacted: ${totalBytes} bytes, ${why}]`),
        totalBytes,
        isTruncated: true,
        coding: undefined,
      }
    }
    const redacted = redact(redactCredentials(decoded.bytes, credentials), contentType, rules)
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
