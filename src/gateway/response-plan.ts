import type { RawHeaders } from "../core/call.ts"
import { findRaw } from "./headers.ts"

/** An answer that is not a stream is collected up to this size, for its cost to travel in its head. */
export const MAX_COLLECTED_BYTES = 1024 * 1024

/** What is decided once, from the head of the provider's answer. */
export interface ResponsePlan {
  readonly contentType: string
  readonly contentEncoding: string | undefined
  /** The row's `streamed`. */
  readonly streamed: boolean
  /** Hold it back until it is whole; otherwise each piece is written on as it comes. */
  readonly collect: boolean
}

const STREAM_TYPES = /^(?:text\/event-stream|application\/(?:x-)?(?:ndjson|jsonl|json-seq|stream\+json|json-stream))\b/i
/** Media that is played while it arrives. */
const MEDIA_TYPES = /^(?:audio|video)\/|^application\/octet-stream\b/i

export function planResponse(
  raw: RawHeaders,
  request: { readonly path: string; readonly statusCode: number },
): ResponsePlan {
  const contentType = findRaw(raw, "content-type") ?? ""
  const length = findRaw(raw, "content-length")
  const chunked = length === undefined
  const streamed =
    STREAM_TYPES.test(contentType) ||
    // Without alt=sse Gemini streams one JSON array, element by element.
    (chunked && request.statusCode === 200 && request.path.includes(":streamGenerateContent"))
  const tooLarge = length !== undefined && Number(length) > MAX_COLLECTED_BYTES
  return {
    contentType,
    contentEncoding: findRaw(raw, "content-encoding"),
    streamed,
    collect: !streamed && !tooLarge && !(chunked && MEDIA_TYPES.test(contentType)),
  }
}
