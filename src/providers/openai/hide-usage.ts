import { findMembers, type Member, skipSpace, stringEnd } from "../../kit/json-members.ts"
import type { StreamFilter } from "../_provider.ts"
import { bytesOf } from "../_values.ts"

const LF = 10
const CR = 13
const COMMA = 44
const USAGE = Buffer.from('"usage"')
const NOTHING = Buffer.alloc(0)
/** An event that grows past this is no usage chunk: it is passed on as it comes. */
const MAX_HELD_BYTES = 1024 * 1024

/**
 * Takes out of a chat stream what only asking for usage put in: the extra chunk with `choices: []` and a usage, and
 * the `usage: null` of the others. Everything else passes at once and unchanged, what it does not understand
 * included; at most one unfinished event is held back.
 */
export function createUsageFilter(): StreamFilter {
  let held: Buffer[] = []
  let heldBytes = 0
  /** Was the last held line ended, so that a blank line now ends the event? */
  let lineStart = true
  /** Of an event too long to hold: passed on until its end. */
  let passing = false
  let first = true

  function takeHeld(last: Buffer): Buffer {
    if (heldBytes === 0) return last
    const whole = Buffer.concat([...held, last])
    held = []
    heldBytes = 0
    return whole
  }

  return {
    push(piece) {
      const bytes = bytesOf(piece)
      if (first && bytes.length > 0) {
        first = false
        // A JSON document, not a stream.
        passing = bytes[0] === 123 || bytes[0] === 91
        if (passing) lineStart = false
      }
      const out: Buffer[] = []
      let eventStart = 0
      let at = 0
      while (at < bytes.length) {
        const newline = bytes.indexOf(LF, at)
        if (newline < 0) {
          // A lone CR may be the first half of a blank line's end.
          if (!(lineStart && bytes.length - at === 1 && bytes[at] === CR)) lineStart = false
          break
        }
        const blank = lineStart && (newline === at || (newline === at + 1 && bytes[at] === CR))
        at = newline + 1
        lineStart = true
        if (!blank) continue
        const event = bytes.subarray(eventStart, at)
        if (passing && heldBytes === 0) out.push(event)
        else filterEvent(takeHeld(event), out)
        passing = false
        eventStart = at
      }
      if (eventStart < bytes.length) {
        const rest = bytes.subarray(eventStart)
        if (passing) {
          out.push(rest)
        } else {
          held.push(Buffer.from(rest))
          heldBytes += rest.length
          if (heldBytes > MAX_HELD_BYTES) {
            passing = true
            out.push(takeHeld(NOTHING))
          }
        }
      }
      return joined(out)
    },
    end() {
      const out: Buffer[] = []
      if (heldBytes > 0) filterEvent(takeHeld(NOTHING), out)
      return joined(out)
    },
  }
}

function joined(out: Buffer[]): Buffer {
  if (out.length === 0) return NOTHING
  return out.length === 1 ? out[0]! : Buffer.concat(out)
}

function filterEvent(event: Buffer, out: Buffer[]): void {
  const key = event.indexOf(USAGE)
  if (key < 0) {
    out.push(event)
    return
  }
  const start = dataStart(event)
  const line = start < 0 ? -1 : event.indexOf(LF, start)
  const data = start < 0 ? NOTHING : event.subarray(start, line < 0 ? event.length : line)
  const quick = start < 0 ? undefined : lastNull(data, key - start)
  if (quick) {
    const { from, to } = withItsComma(data, quick)
    out.push(event.subarray(0, start + from), event.subarray(start + to))
    return
  }
  const members = findMembers(data, ["usage", "choices"])
  const usage = members?.found["usage"]
  if (!members || members.close < 0 || !usage) {
    out.push(event)
    return
  }
  const value = data[usage.start]
  if (value === 110) {
    const { from, to } = withItsComma(data, usage)
    out.push(event.subarray(0, start + from), event.subarray(start + to))
  } else if (!(value === 123 && isEmptyList(data, members.found["choices"]))) {
    out.push(event)
  }
}

/**
 * The member at `keyStart`, if it is a null of the outermost object: only then the first bracket that its rest closes
 * too many is the very end. Looks at the few bytes behind it instead of all before it.
 */
function lastNull(data: Buffer, keyStart: number): Member | undefined {
  let start = keyStart + USAGE.length
  while (start < data.length && (data[start]! <= 32 || data[start] === 58)) start++
  if (data[start] !== 110) return undefined
  const end = start + 4
  let depth = 0
  let at = end
  for (; at < data.length; at++) {
    const byte = data[at]!
    if (byte === 34) {
      const behind = stringEnd(data, at)
      if (behind < 0) return undefined
      at = behind - 1
    } else if (byte === 123 || byte === 91) depth++
    else if ((byte === 125 || byte === 93) && --depth < 0) break
  }
  return depth < 0 && skipSpace(data, at + 1) === data.length ? { keyStart, start, end } : undefined
}

/** Where the JSON of the event's one data line begins; -1: no data line, or several. */
function dataStart(event: Buffer): number {
  let at = event[0] === 0xef ? 3 : 0
  let found = -1
  while (at < event.length) {
    if (event[at] === 100 && event[at + 1] === 97 && event[at + 4] === 58) {
      if (found >= 0) return -1
      found = event[at + 5] === 32 ? at + 6 : at + 5
    }
    const newline = event.indexOf(LF, at)
    if (newline < 0) break
    at = newline + 1
  }
  return found
}

function isEmptyList(data: Buffer, member: Member | undefined): boolean {
  return (
    member !== undefined &&
    /^\[\s*\]$/.test(data.toString("latin1", member.start, Math.min(member.end, member.start + 64)))
  )
}

/** A member with the comma before it; the first of its object with the comma after it. */
function withItsComma(data: Buffer, member: Member): { from: number; to: number } {
  let from = member.keyStart
  while (from > 0 && data[from - 1]! <= 32) from--
  if (data[from - 1] === COMMA) return { from: from - 1, to: member.end }
  let to = member.end
  while (to < data.length && data[to]! <= 32) to++
  if (data[to] !== COMMA) return { from: member.keyStart, to: member.end }
  to++
  while (to < data.length && data[to] === 32) to++
  return { from: member.keyStart, to }
}
