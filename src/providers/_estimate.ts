import { findMembers, memberValue } from "../kit/json/members.ts"
import { stringEnd } from "../kit/json/tokenizer.ts"
import { countOf } from "./_values.ts"

const QUOTE = 34
const BACKSLASH = 92
const LETTER_U = 117

/** English and code come to about four characters per token, other scripts to three tokens per four characters. */
const ASCII_PER_TOKEN = 4
const TOKENS_PER_WIDE = 0.75
/** What an embedded picture or file is taken for: the order of one image, whatever its bytes. */
const TOKENS_PER_FILE = 800
/** Of a request this much is looked at, so that counting never holds the loop. */
export const MAX_COUNTED_BYTES = 4 * 1024 * 1024
/** A text longer than this without a space at its beginning is no text. */
const FILE_BYTES = 1024

/** Of a stream's text this much is kept for a tokenizer; the rest is counted by its length. */
const MAX_KEPT_BYTES = 16 * 1024

export interface TextCounter {
  /** The text so far, as it stood in its JSON, up to a bound; `all` is its whole length in bytes. */
  kept(): { readonly text: Buffer; readonly all: number }
  /** Counts the new text of one event of a stream. */
  addEvent(data: Buffer): void
  /** Tokens so far, about; never less than the pieces that carried text. */
  tokens(): number
}

/** Names of members that hold text, as they stand in JSON: quoted. */
export type TextNames = readonly Buffer[]

export function textNames(...names: readonly string[]): TextNames {
  return names.map((name) => Buffer.from(`"${name}"`))
}

const NOTHING = Buffer.alloc(0)

/**
 * Counts the text that the events of a stream carry, without keeping it: for streams that end before their usage.
 * `names` are the members that hold new text; the first that an event fills is counted.
 */
export function createTextCounter(names: TextNames): TextCounter {
  const count = { ascii: 0, wide: 0 }
  let pieces = 0
  let kept = NOTHING
  let keptBytes = 0
  let allBytes = 0

  function keep(data: Buffer, start: number, end: number): void {
    allBytes += end - start
    const needed = keptBytes + end - start
    if (needed > MAX_KEPT_BYTES) return
    if (needed > kept.length) {
      const larger = Buffer.allocUnsafe(Math.min(MAX_KEPT_BYTES, Math.max(512, 2 * needed)))
      kept.copy(larger, 0, 0, keptBytes)
      kept = larger
    }
    data.copy(kept, keptBytes, start, end)
    keptBytes = needed
  }

  return {
    kept: () => ({ text: kept.subarray(0, keptBytes), all: allBytes }),
    addEvent(data) {
      for (const key of names) {
        const at = data.indexOf(key)
        if (at < 0) continue
        const start = valueStart(data, at + key.length)
        if (data[start] !== QUOTE) continue
        const end = stringEnd(data, start)
        if (end < 0) return
        // A tool call comes beside an empty content.
        if (end - start === 2) continue
        pieces++
        countText(data, start + 1, end - 1, count)
        keep(data, start + 1, end - 1)
        return
      }
    },
    tokens: () => Math.max(pieces, tokensOf(count)),
  }
}

/** The tokens of a request's texts, about. */
export function estimateInput(body: Buffer): number {
  const count = { ascii: 0, wide: 0 }
  const limit = Math.min(body.length, MAX_COUNTED_BYTES)
  let files = 0
  let at = body.indexOf(QUOTE)
  while (at >= 0 && at < limit) {
    const found = stringEnd(body, at)
    // Of a large body only the beginning may be here.
    const end = found < 0 ? body.length + 1 : found
    if (end - at > FILE_BYTES && body.subarray(at, at + FILE_BYTES).indexOf(32) < 0) files++
    else countText(body, at + 1, Math.min(end - 1, limit), count)
    at = body.indexOf(QUOTE, end)
  }
  return tokensOf(count) + files * TOKENS_PER_FILE
}

/** The most output that the request allows; undefined: it does not say. */
export function outputLimit(body: Buffer): number | undefined {
  const found = findMembers(body, LIMITS)?.found
  for (const name of LIMITS) {
    const limit = countOf(memberValue(body, found?.[name]))
    if (limit) return limit
  }
  return undefined
}

const LIMITS = ["max_completion_tokens", "max_output_tokens", "max_tokens"]

function tokensOf({ ascii, wide }: { readonly ascii: number; readonly wide: number }): number {
  return Math.ceil(ascii / ASCII_PER_TOKEN + wide * TOKENS_PER_WIDE)
}

function countText(bytes: Buffer, from: number, to: number, count: { ascii: number; wide: number }) {
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!
    if (byte >= 0xc0) count.wide++
    else if (byte >= 0x80) continue
    else if (byte !== BACKSLASH) count.ascii++
    else if (bytes[at + 1] === LETTER_U) {
      // `\u00e9`; the second half of a surrogate pair is the same character.
      const isLow = /^d[c-f]/i.test(bytes.toString("latin1", at + 2, at + 4))
      if (!isLow) count.wide++
      at += 5
    } else {
      count.ascii++
      at++
    }
  }
}

function valueStart(data: Buffer, from: number): number {
  let at = from
  while (at < data.length && (data[at]! <= 32 || data[at] === 58)) at++
  return at
}
