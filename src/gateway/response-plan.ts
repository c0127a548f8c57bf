import type { RawHeaders } from "../core/call.ts"
import { findRaw } from "../core/raw-headers.ts"
import type { StreamFilter } from "../providers/_dialect.ts"
import { type Framing, isStream } from "../providers/_framing.ts"
import { MAX_COLLECTED_BYTES } from "./collected-answer.ts"
import { isCompressed } from "./decode.ts"
import type { ProxiedRequest } from "./proxied-request.ts"

/** The decisions that are made once, from the head of the provider's answer. */
export interface ResponsePlan {
  readonly contentEncoding: string | undefined
  /** How the dialect reads the answer. */
  readonly framing: Framing
  /** The row's `streamed`. */
  readonly streamed: boolean
  /** The answer is held until it is whole, for a second at most; otherwise each piece is written as soon as it comes. */
  readonly collect: boolean
}

/** Media that is played while it arrives. */
const PLAYED_TYPES = /^(?:audio|video)\/|^application\/octet-stream\b/i

/** Plans how an answer is relayed and metered. */
export function planResponse(
  raw: RawHeaders,
  answer: { readonly statusCode: number; readonly request: ProxiedRequest },
): ResponsePlan {
  const { statusCode, request } = answer
  const contentType = findRaw(raw, "content-type") ?? ""
  const length = findRaw(raw, "content-length")
  const isChunked = length === undefined
  const framing = request.dialect.framing(request.providerRequest, { statusCode, contentType, isChunked })
  const streamed = isStream(framing)
  const tooLarge = length !== undefined && Number(length) > MAX_COLLECTED_BYTES
  return {
    contentEncoding: findRaw(raw, "content-encoding"),
    framing,
    streamed,
    collect: !streamed && !tooLarge && !(isChunked && PLAYED_TYPES.test(contentType)),
  }
}

/**
 * Creates the filter that removes from a stream what the edit of the request added, or that changes addresses in a
 * document; undefined: nothing is changed. An answer that is compressed although the gateway asked for plain bytes is
 * passed on as it is.
 */
export function createFilter(
  plan: ResponsePlan,
  { prepared }: ProxiedRequest,
  isEdited: boolean,
): StreamFilter | undefined {
  const create = plan.streamed ? (isEdited ? prepared.createFilter : undefined) : prepared.createRewriter
  return create === undefined || isCompressed(plan.contentEncoding) ? undefined : create()
}
