import { Pieces } from "../../kit/pieces.ts"
import type { StreamFilter } from "../_dialect.ts"
import { bytesOf } from "../_values.ts"
import { hideUsage } from "./usage-event.ts"

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
  /** The last held line has ended, so that a blank line now ends the event. */
  let lineStart = true
  /** The current event is too long to hold and is passed on until its end. */
  let passing = false
  let first = true

  function takeHeld(last: Buffer): Buffer {
    if (held.length === 0) return last
    if (last.length > 0) held.push(last)
    return held.takeBytes()
  }

  return {
    push(piece) {
      const bytes = bytesOf(piece)
      if (first && bytes.length > 0) {
        first = false
        // The answer is a JSON document and no stream.
        passing = bytes[0] === 123 || bytes[0] === 91
        if (passing) lineStart = false
      }
      const out: Buffer[] = []
      let eventStart = 0
      let at = 0
      while (at < bytes.length) {
        const newline = bytes.indexOf(LF, at)
        if (newline < 0) {
          // A lone CR may be the first half of the end of a blank line.
          if (!(lineStart && bytes.length - at === 1 && bytes[at] === CR)) lineStart = false
          break
        }
        const blank = lineStart && (newline === at || (newline === at + 1 && bytes[at] === CR))
        at = newline + 1
        lineStart = true
        if (!blank) continue
        const event = bytes.subarray(eventStart, at)
        if (passing && held.length === 0) out.push(event)
        else hideUsage(takeHeld(event), out)
        passing = false
        eventStart = at
      }
      if (eventStart < bytes.length) {
        const rest = bytes.subarray(eventStart)
        if (passing) {
          out.push(rest)
        } else {
          held.push(Buffer.from(rest))
          if (held.length > MAX_HELD_BYTES) {
            passing = true
            out.push(takeHeld(NOTHING))
          }
        }
      }
      return joined(out)
    },
    end() {
      const out: Buffer[] = []
      if (held.length > 0) hideUsage(takeHeld(NOTHING), out)
      return joined(out)
    },
  }
}

function joined(out: Buffer[]): Buffer {
  if (out.length === 0) return NOTHING
  return out.length === 1 ? out[0]! : Buffer.concat(out)
}
