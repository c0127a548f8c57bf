import type { RawHeaders } from "../core/call.ts"
import { findRaw } from "../core/raw-headers.ts"
import type { StreamFilter } from "../providers/_dialect.ts"
import { type Framing, isStream } from "../providers/_framing.ts"
import { MAX_COLLECTED_BYTES } from "./collected-answer.ts"
import { isCompressed } from "./decode.ts"
import { mayHaveBody } from "./headers.ts"
import type { ProxiedRequest } from "./proxied-request.ts"

/** The part of an answer before its body. */
export interface AnswerHead {
  readonly statusCode: number
  readonly statusText: string
  readonly headers: RawHeaders
}

export const NO_HEAD: AnswerHead = { statusCode: 0, statusText: "", headers: [] }

/** Changes the bytes of an answer before the client gets them. */
export interface AnswerFilter extends StreamFilter {
  /** Returns the head that fits to the body, after `end`. Without it the head stays. */
  toHead?(head: AnswerHead): AnswerHead
}

/** The decisions that are made once, from the head of the provider's answer. */
export interface ResponsePlan {
  readonly contentEncoding: string | undefined
  /** How the dialect reads the answer. */
  readonly framing: Framing
  /** The row's `streamed`. */
  readonly streamed: boolean
  /** The answer is held until it is whole, for a second at most; otherwise each piece is written as soon as it comes. */
  readonly collect: boolean
  /** The answer is an error, and the credential that the gateway has added is removed from it. */
  readonly isGuarded: boolean
  /** The answer can only be searched when it is whole, so that it is held until then. */
  readonly isHeldToEnd: boolean
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
  const isGuarded =
    statusCode >= 400 && request.suppliedSecrets.length > 0 && mayHaveBody(request.call.method, statusCode)
  const contentEncoding = findRaw(raw, "content-encoding")
  const isHeldToEnd = isGuarded && isCompressed(contentEncoding)
  const tooLarge = length !== undefined && Number(length) > MAX_COLLECTED_BYTES
  return {
    contentEncoding,
    framing,
    streamed,
    collect: isHeldToEnd || (!streamed && !tooLarge && !(isChunked && PLAYED_TYPES.test(contentType))),
    isGuarded,
    isHeldToEnd,
  }
}
