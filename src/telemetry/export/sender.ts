import { setTimeout as wait } from "node:timers/promises"
import { promisify } from "node:util"
import { gzip } from "node:zlib"
import { readRetryAfter, readStart } from "../../kit/fetch-answer.ts"
import { decode, encode, type Message, type MessageType } from "../otlp/wire.ts"

const compress = promisify(gzip)

export type Protocol = "http/protobuf" | "http/json"

/** Where one kind of telemetry is sent, and in which form. */
export interface Target {
  /** The full address, such as `http://collector:4318/v1/traces`. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly protocol: Protocol
  readonly request: MessageType
  readonly answer: MessageType
}

/** The result of an export. A message never contains an address or a header, which can contain secrets. */
export type Sent =
  | { readonly state: "accepted"; readonly rejected: number; readonly message?: string }
  | { readonly state: "failed"; readonly message: string }

/** The function that sends an HTTP request, which is `fetch`, with a proxy if one is set. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

interface SenderOptions {
  readonly fetch: Fetch
  readonly timing?: Partial<SenderTiming> | undefined
}

/** The retries of OTLP: https://opentelemetry.io/docs/specs/otlp/#failures (November 2026). */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504])
const TIMING = { timeoutMs: 10_000, firstPauseMs: 1000, maxPauseMs: 30_000, giveUpAfterMs: 120_000 }
export type SenderTiming = typeof TIMING
const MAX_ANSWER_BYTES = 64 * 1024

/**
 * Creates the function that sends one message. It tries again after errors that pass, with growing pauses or those that the
 * receiver asks for, until it gives up or `signal` is aborted; it never rejects.
 */
export function createSender({ fetch, timing }: SenderOptions) {
  const times = { ...TIMING, ...timing }
  return async (target: Target, message: Message, signal: AbortSignal): Promise<Sent> => {
    const deadline = performance.now() + times.giveUpAfterMs
    const body = await toBody(target, message)
    let failure: string | undefined
    for (let pause = times.firstPauseMs; ; pause = Math.min(2 * pause, times.maxPauseMs)) {
      const patience = AbortSignal.any([signal, AbortSignal.timeout(times.timeoutMs)])
      const attempt = await sendOnce(fetch, target, body, patience)
      if ("state" in attempt) return attempt
      // An attempt that was aborted says nothing about the receiver.
      if (!signal.aborted || failure === undefined) failure = attempt.failure
      const pauseMs = Math.max(attempt.retryAfterMs ?? 0, pause * (0.5 + Math.random() / 2))
      const isLate = performance.now() + pauseMs > deadline
      if (!signal.aborted && !isLate) await wait(pauseMs, undefined, { signal, ref: false }).catch(() => {})
      if (signal.aborted || isLate) return { state: "failed", message: failure }
    }
  }
}

async function toBody({ protocol, request }: Target, message: Message): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = protocol === "http/json" ? JSON.stringify(message) : encode(request, message)
  return new Uint8Array(await compress(bytes))
}

interface Retry {
  readonly failure: string
  readonly retryAfterMs?: number | undefined
}

async function sendOnce(
  fetch: Fetch,
  target: Target,
  body: Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
): Promise<Sent | Retry> {
  const { url, headers, protocol } = target
  const type = protocol === "http/json" ? "application/json" : "application/x-protobuf"
  try {
    const response = await fetch(url, {
      method: "POST",
      // A redirect would give the headers, and with them a credential, to another host.
      redirect: "manual",
      headers: { ...headers, "Content-Type": type, "Content-Encoding": "gzip" },
      body,
      signal,
    })
    const answer = await readStart(response, MAX_ANSWER_BYTES)
    if (response.ok) return readPartialSuccess(target, response, answer)
    const failure = `the receiver answered ${response.status}`
    if (!RETRYABLE.has(response.status)) return { state: "failed", message: failure }
    return { failure, retryAfterMs: readRetryAfter(response.headers.get("retry-after"), Date.now()) }
  } catch (error) {
    return { failure: describe(error) }
  }
}

/** A receiver that accepts a part says how much it did not accept. Sending that again would change nothing. */
function readPartialSuccess({ answer }: Target, { headers }: Response, bytes: Buffer): Sent {
  try {
    const isJson = headers.get("content-type")?.includes("json") === true
    const read = isJson ? (JSON.parse(bytes.toString() || "{}") as Message) : decode(answer, bytes)
    const partial = (read["partialSuccess"] ?? {}) as Message
    const rejected = Number(partial["rejectedSpans"] ?? partial["rejectedDataPoints"] ?? 0)
    if (Number.isSafeInteger(rejected) && rejected > 0)
      return { state: "accepted", rejected, message: `the receiver rejected ${rejected} items` }
  } catch {
    // Some receivers answer with a text of their own.
  }
  return { state: "accepted", rejected: 0 }
}

/** Names a failure by its code. The messages of `fetch` repeat addresses. */
function describe(error: unknown): string {
  const { name, code, cause } = error as { readonly name?: string; readonly code?: unknown; readonly cause?: unknown }
  if (name === "TimeoutError" || name === "AbortError") return "the receiver did not answer in time"
  const reason = (cause as { readonly code?: unknown } | undefined)?.code ?? code
  return `the receiver cannot be reached (${typeof reason === "string" ? reason : (name ?? "error")})`
}
