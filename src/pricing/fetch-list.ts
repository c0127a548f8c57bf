import { FetchError, ofetch } from "ofetch"
import type { Proxies } from "../kit/proxy/proxies.ts"
import { ProxyError } from "../kit/proxy/tunnel.ts"

/** The answer to a request for a price list. `reason` never contains the address, because that can hold a secret. */
export type Fetched =
  | { readonly status: "updated"; readonly body: unknown; readonly etag: string | undefined }
  | { readonly status: "unchanged" }
  | { readonly status: "failed"; readonly reason: string }

interface FetchOptions {
  /** The tag by which the server can tell that the list has not changed; undefined if no list is held. */
  readonly held: { readonly etag: string | undefined } | undefined
  readonly signal: AbortSignal
  /** The proxies through which lists are fetched. */
  readonly proxies?: Proxies | undefined
  /** The time for the whole answer, with its body. */
  readonly timeoutMs?: number | undefined
  /** The largest body, after decompression. */
  readonly maxBytes?: number
}

const TIMEOUT_MS = 15_000
/** The largest list (LiteLLM's map) had about 2 MB in November 2026. */
const MAX_BYTES = 16 * 1024 * 1024
/**
 * The most objects, lists and members, because each takes time to parse. genai-prices had 25,000 in 0.5 MB in November
 * 2026, and LiteLLM's map is four times as large.
 */
const MAX_VALUES = 500_000

/** Fetches a JSON list, unless it is the one that is held. Redirects are not followed. Never rejects. */
export async function fetchList(url: string, options: FetchOptions): Promise<Fetched> {
  const { held, signal, proxies, timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES } = options
  const deadline = AbortSignal.timeout(timeoutMs)
  const dispatcher = proxies && (await import("../kit/proxy/fetch.ts")).createProxyDispatcher(proxies)
  try {
    // ofetch reads a whole body without a limit, follows redirects and ignores `timeout` beside `signal` unless told otherwise.
    const response = await ofetch.raw(url, {
      responseType: "stream",
      ignoreResponseError: true,
      retry: 1,
      retryDelay: 500,
      headers: { accept: "application/json", ...(held?.etag !== undefined && { "if-none-match": held.etag }) },
      redirect: "manual",
      ...(dispatcher && { dispatcher }),
      signal: AbortSignal.any([signal, deadline]),
    })
    if (response.status === 200) {
      const text = await readText(response, maxBytes)
      return { status: "updated", body: parseJson(text), etag: response.headers.get("etag") ?? undefined }
    }
    await response.body?.cancel()
    if (response.status === 304 && held) return { status: "unchanged" }
    const isRedirect = response.status >= 300 && response.status < 400 && response.status !== 304
    const why = isRedirect ? `${response.status}, and redirects are not followed` : response.status
    return { status: "failed", reason: `it answered ${why}` }
  } catch (error) {
    const reason = deadline.aborted ? `it did not answer within ${timeoutMs / 1000} s` : reasonOf(error)
    return { status: "failed", reason }
  } finally {
    await dispatcher?.destroy()
  }
}

/** A body that is not a list. Its message can be shown. */
class BodyError extends Error {}

/**
 * Reads a body into one buffer that grows, so that neither its size nor the number of its pieces can exhaust the memory.
 * @throws BodyError if the body is larger than `maxBytes`, or has so many values that parsing it would take seconds
 */
async function readText(response: Response, maxBytes: number): Promise<string> {
  let buffer = new Uint8Array(64 * 1024)
  let length = 0
  let values = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    const needed = length + chunk.length
    if (needed > maxBytes) throw new BodyError(`its answer is larger than ${maxBytes} bytes`)
    values += countValues(chunk)
    if (values > MAX_VALUES) throw new BodyError(`its answer has more than ${MAX_VALUES} values`)
    if (needed > buffer.length) {
      const larger = new Uint8Array(Math.max(needed, buffer.length * 2))
      larger.set(buffer.subarray(0, length))
      buffer = larger
    }
    buffer.set(chunk, length)
    length = needed
  }
  return new TextDecoder().decode(buffer.subarray(0, length))
}

/** Counts the commas and the opening brackets, each of which may stand before a value. */
function countValues(bytes: Uint8Array): number {
  let count = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === 44 || byte === 91 || byte === 123) count++
  }
  return count
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new BodyError("its answer is not JSON")
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof BodyError) return error.message
  // ofetch wraps the error of fetch, which wraps the one of the connection. Their messages contain the address.
  const failure = error instanceof FetchError ? error.cause : error
  if (failure instanceof Error && failure.cause instanceof ProxyError) return `no connection (${failure.cause.message})`
  const { code, cause } = (failure ?? {}) as { readonly code?: unknown; readonly cause?: { readonly code?: unknown } }
  const found = [cause?.code, code].find((each) => typeof each === "string")
  return `no connection (${found ?? "unknown"})`
}
