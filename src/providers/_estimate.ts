import { findMembers, memberValue } from "../kit/json/members.ts"
import { stringEnd } from "../kit/json/tokenizer.ts"
import { countOf } from "./_values.ts"

const QUOTE = 34
const BACKSLASH = 92
const LETTER_U = 117

/** English and code have about four characters per token, other scripts about three tokens per four characters. */
const ASCII_PER_TOKEN = 4
const TOKENS_PER_WIDE = 0.75
/** The tokens that an embedded picture or file counts as, whatever its size: about those of one image. */
const TOKENS_PER_FILE = 800
/** The most of a request that is counted, so that counting never blocks the event loop. */
export const MAX_COUNTED_BYTES = 4 * 1024 * 1024
/** A string whose first bytes up to this many contain no space is a file, not text. */
const FILE_BYTES = 1024

/** The most of a stream's text that is kept for a tokenizer. The rest is counted by its length. */
const MAX_KEPT_BYTES = 16 * 1024

export interface TextCounter {
  /** Returns the text so far, up to a bound, with its JSON escapes. `all` is the length of the whole text in bytes. */
  kept(): { readonly text: Buffer; readonly all: number }
  /** Counts the new text of one event of a stream. */
  addEvent(data: Buffer): void
  /** Returns the approximate number of tokens so far: at least one for each piece that carried text. */
  tokens(): number
}

/** The names of members that hold text, as JSON has them: in quotes. */
export type TextNames = readonly Buffer[]

export function textNames(...names: readonly string[]): TextNames {
  return names.map((name) => Buffer.from(`"${name}"`))
}

const NOTHING = Buffer.alloc(0)

/**
 * Creates a counter for the text that the events of a stream carry, for streams that end before their usage.
 * @param names the members that hold new text; the first that is not empty in an event is counted
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
        // The event of a tool call has an empty content beside it.
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

/** Returns the approximate number of tokens of a request's texts. */
export function estimateInput(body: Buffer): number {
  const count = { ascii: 0, wide: 0 }
  const limit = Math.min(body.length, MAX_COUNTED_BYTES)
  let files = 0
  let at = body.indexOf(QUOTE)
  while (at >= 0 && at < limit) {
    const found = stringEnd(body, at)
    // The end of a string is missing where only the beginning of a large body is at hand.
    const end = found < 0 ? body.length + 1 : found
    if (end - at > FILE_BYTES && body.subarray(at, at + FILE_BYTES).indexOf(32) < 0) files++
    else countText(body, at + 1, Math.min(end - 1, limit), count)
    at = body.indexOf(QUOTE, end)
  }
  return tokensOf(count) + files * TOKENS_PER_FILE
}

/** Returns the most output tokens that the request allows; undefined when it states no limit. */
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
      // An escape such as `\u00e9`. The second half of a surrogate pair is the same character as the first.
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
