import { findMembers, MemberNames, memberValue } from "../kit/json/members.ts"
import { stringEnd } from "../kit/json/tokenizer.ts"
import type { ProviderRequest } from "./_dialect.ts"
import type { TextCounter } from "./_text-counter.ts"
import { addLength, addShortString, type TextLength, tokensOfLength } from "./_text-length.ts"
import { bytesOf, countOf } from "./_values.ts"

const QUOTE = 34

/** The tokens that an embedded picture or file counts as, whatever its size: about those of one image. */
const TOKENS_PER_FILE = 800
/** The most of a request that is counted, so that counting never blocks the event loop. */
const MAX_COUNTED_BYTES = 4 * 1024 * 1024
/** A string whose first bytes up to this many contain no space is a file, not text. */
const FILE_BYTES = 1024
/** Most strings of a request are not longer. They are counted while their end is searched for. */
const SHORT_BYTES = 256

/**
 * The tokens that a model writes around the name and the arguments of one tool call: the first family that fits. They
 * are medians over recorded streams with one call and their reported usage, measured on 2026-11-28.
 */
const TOKENS_PER_CALL: readonly (readonly [RegExp, number])[] = [
  [/claude/i, 38],
  [/deepseek/i, 24],
  [/mistral|magistral|llama|qwen/i, 12],
]
const DEFAULT_TOKENS_PER_CALL = 8

/** Returns the tokens that the model writes around the name and the arguments of one tool call. */
export function tokensPerCall(model: string | undefined): number {
  const known = model === undefined ? undefined : TOKENS_PER_CALL.find(([names]) => names.test(model))
  return known?.[1] ?? DEFAULT_TOKENS_PER_CALL
}

/** Returns the beginning of the request's body, as much of it as is counted. */
export function startOf({ body, readStart }: Pick<ProviderRequest, "body" | "readStart">): Buffer {
  return bytesOf(readStart?.(MAX_COUNTED_BYTES) ?? body)
}

/**
 * Returns the approximate number of tokens of a request's texts.
 * @param sampledBytes of a longer text, only its first bytes are counted, and the rest is taken to be like them
 */
export function estimateInput(body: Buffer, sampledBytes: number = Number.POSITIVE_INFINITY): number {
  let sampled = 0
  const length: TextLength = { ascii: 0, wide: 0 }
  const limit = Math.min(body.length, MAX_COUNTED_BYTES)
  const shortBytes = Math.min(sampledBytes, SHORT_BYTES)
  let files = 0
  let at = nextQuote(body, 0)
  while (at >= 0 && at < limit) {
    const short = addShortString(body, at, Math.min(limit, at + shortBytes), length)
    if (short >= 0) {
      at = nextQuote(body, short)
      continue
    }
    const found = stringEnd(body, at)
    // The end of a string is missing where only the beginning of a large body is at hand.
    const end = found < 0 ? body.length + 1 : found
    if (end - at > FILE_BYTES && body.subarray(at, at + FILE_BYTES).indexOf(32) < 0) files++
    else if (end - at <= sampledBytes) addLength(body, at + 1, Math.min(end - 1, limit), length)
    else sampled += tokensOfSample(body, at + 1, Math.min(end - 1, limit), sampledBytes)
    at = nextQuote(body, end)
  }
  return tokensOfLength(length) + sampled + files * TOKENS_PER_FILE
}

/** Nearly all quotes are this near to the string before. A native search costs about as much as a look at so many bytes. */
const NEAR_BYTES = 16

function nextQuote(body: Buffer, from: number): number {
  const near = Math.min(from + NEAR_BYTES, body.length)
  for (let at = from; at < near; at++) if (body[at] === QUOTE) return at
  return near < body.length ? body.indexOf(QUOTE, near) : -1
}

function tokensOfSample(body: Buffer, from: number, to: number, sampledBytes: number): number {
  const length: TextLength = { ascii: 0, wide: 0 }
  addLength(body, from, from + sampledBytes, length)
  return Math.ceil((tokensOfLength(length) * (to - from)) / sampledBytes)
}

/** Returns the approximate number of tokens that were generated, at most what the request allows. */
export function estimateOutput({ body }: Pick<ProviderRequest, "body">, counter: TextCounter, model?: string): number {
  const generated = counter.tokens(tokensPerCall(model)) + counter.encryptedReasoning
  return Math.min(generated, outputLimit(bytesOf(body)) ?? Number.POSITIVE_INFINITY)
}

/** Returns the most output tokens that the request allows; undefined when it states no limit. */
export function outputLimit(body: Buffer): number | undefined {
  const found = findMembers(body, LIMIT_NAMES)?.found
  for (const name of LIMITS) {
    const limit = countOf(memberValue(body, found?.[name]))
    if (limit) return limit
  }
  return undefined
}

const LIMITS = ["max_completion_tokens", "max_output_tokens", "max_tokens"]
const LIMIT_NAMES = new MemberNames(LIMITS)
