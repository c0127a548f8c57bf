import { Pieces } from "../../kit/pieces.ts"
import type { StreamFilter } from "../_dialect.ts"
import { bytesOf } from "../_values.ts"
import { findNull, hideUsage, USAGE } from "./usage-event.ts"

const LF = 10
const CR = 13
const NOTHING = Buffer.alloc(0)
/** A longer event is no usage chunk, so it is passed on as it comes. */
const MAX_HELD_BYTES = 1024 * 1024

/**
 * Creates a filter that removes from a chat stream what only asking for usage caused: the extra chunk with `choices: []`
 * and a usage, and the `usage: null` of the other chunks. Everything else passes at once and unchanged, and so does what
 * the filter does not understand. At most one unfinished event is held back.
 */
export function createUsageFilter(): StreamFilter {
  const held = new Pieces()
  /** The last line has ended, so that a blank line now ends the event. */
  let isLineStart = true
  /** The current event is too long to hold and is passed on until its end. */
  let passing = false
  let first = true

  function takeHeld(last: Buffer): Buffer {
    if (held.length === 0) return last
    if (last.length > 0) held.push(last)
    return held.takeBytes()
  }

  function hideHeld(last: Buffer, out: Buffer[]): void {
    const event = takeHeld(last)
    hideUsage(event, USAGE.indexOf(event), out)
  }

  /** Ends the event that an earlier piece began. Returns the index behind it, or -1 if the piece does not end it. */
  function endEvent(bytes: Buffer, out: Buffer[]): number {
    const end = firstEventEnd(bytes, 0, isLineStart)
    if (end < 0) return -1
    const last = bytes.subarray(0, end)
    if (passing) out.push(last)
    else hideHeld(last, out)
    passing = false
    return end
  }

  function hold(rest: Buffer, out: Buffer[]): void {
    if (passing) {
      out.push(rest)
      return
    }
    held.push(Buffer.from(rest))
    if (held.length <= MAX_HELD_BYTES) return
    passing = true
    out.push(takeHeld(NOTHING))
  }

  return {
    push(piece) {
      const bytes = bytesOf(piece)
      if (bytes.length === 0) return NOTHING
      if (first) {
        first = false
        // The answer is a JSON document and no stream.
        passing = bytes[0] === 123 || bytes[0] === 91
        if (passing) isLineStart = false
      }
      const out: Buffer[] = []
      let at = passing || held.length > 0 ? endEvent(bytes, out) : 0
      if (at >= 0) at = passEvents(bytes, at, out)
      if (at < bytes.length) hold(at <= 0 ? bytes : bytes.subarray(at), out)
      isLineStart = beginsLine(bytes, isLineStart)
      return joined(out)
    },
    end() {
      const out: Buffer[] = []
      if (held.length > 0) hideHeld(NOTHING, out)
      return joined(out)
    },
  }
}

/**
 * Appends to `out` the whole events from `from` on, without what has to be hidden, and returns the index behind them.
 * Events without a usage are passed on in one slice, so that it does not matter how many and how small they are.
 */
function passEvents(bytes: Buffer, from: number, out: Buffer[]): number {
  let at = from
  /** The beginning of what is passed on in the next slice. */
  let kept = from
  for (;;) {
    const key = USAGE.indexOf(bytes, at)
    const hidden = key < 0 ? undefined : findNull(bytes, at, key)
    if (hidden) {
      out.push(bytes.subarray(kept, hidden.from))
      kept = hidden.to
      at = hidden.eventEnd
      continue
    }
    if (key < 0) at = lastEventEnd(bytes, at, bytes.length)
    if (at > kept) out.push(bytes.subarray(kept, at))
    if (key < 0) return at
    let end = firstEventEnd(bytes, at, true)
    if (end < 0) return at
    if (end <= key) {
      const start = lastEventEnd(bytes, end, key)
      out.push(bytes.subarray(at, start))
      at = start
      end = firstEventEnd(bytes, key, false)
      if (end < 0) return at
    }
    hideUsage(bytes.subarray(at, end), key - at, out)
    at = end
    kept = end
  }
}

/** Returns the index behind the first blank line from `from` on; -1 if there is none. */
function firstEventEnd(bytes: Buffer, from: number, isLineStart: boolean): number {
  let lineStart = isLineStart ? from : -1
  for (let newline = bytes.indexOf(LF, from); newline >= 0; newline = bytes.indexOf(LF, lineStart)) {
    if (newline === lineStart || (newline === lineStart + 1 && bytes[lineStart] === CR)) return newline + 1
    lineStart = newline + 1
  }
  return -1
}

/** Returns the index behind the last blank line between `from`, where an event begins, and `to`; `from` if there is none. */
function lastEventEnd(bytes: Buffer, from: number, to: number): number {
  let newline = to > from ? bytes.lastIndexOf(LF, to - 1) : -1
  while (newline >= from) {
    const lineEnd = newline > from && bytes[newline - 1] === CR ? newline - 1 : newline
    if (lineEnd === from || bytes[lineEnd - 1] === LF) return newline + 1
    newline = bytes.lastIndexOf(LF, lineEnd - 1)
  }
  return from
}

/** Returns whether the next byte begins a line. A lone CR may be the first half of the end of a blank line. */
function beginsLine(bytes: Buffer, isLineStart: boolean): boolean {
  const last = bytes.length - 1
  if (bytes[last] === LF) return true
  if (bytes[last] !== CR) return false
  return last === 0 ? isLineStart : bytes[last - 1] === LF
}

function joined(out: Buffer[]): Buffer {
  if (out.length === 0) return NOTHING
  return out.length === 1 ? out[0]! : Buffer.concat(out)
}
