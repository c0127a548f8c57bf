import { findMembers, type Member, MemberNames, skipSpace } from "../../kit/json/members.ts"
import { QuotedName } from "../../kit/json/quoted-name.ts"
import { stringEnd } from "../../kit/json/tokenizer.ts"

const LF = 10
const CR = 13
const COMMA = 44
/** The name of the member to hide. */
export const USAGE = new QuotedName("usage")
const NOTHING = Buffer.alloc(0)
const NAMES = new MemberNames(["usage", "choices"])

/**
 * Appends to `out` what a client that did not ask for usage would have got of this event: all of it, all but its
 * `usage: null`, or nothing. An event with several data lines or with broken JSON is kept whole.
 * @param key the index of the first `"usage"` in the event; -1: there is none
 */
export function hideUsage(event: Buffer, key: number, out: Buffer[]): void {
  if (key < 0) {
    out.push(event)
    return
  }
  const start = dataStart(event)
  const line = start < 0 ? -1 : event.indexOf(LF, start)
  const data = start < 0 ? NOTHING : event.subarray(start, line < 0 ? event.length : line)
  const quick = start < 0 ? undefined : lastNull(data, key - start, data.length)
  if (quick) {
    const { from, to } = withItsComma(data, quick)
    out.push(event.subarray(0, start + from), event.subarray(start + to))
    return
  }
  const members = findMembers(data, NAMES)
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
 * Returns the member at `keyStart` if its value is `null` and it belongs to the outermost object. That is so if the first
 * unmatched closing bracket after it ends the data. So only the few bytes after the member are read, not all before it.
 */
function lastNull(data: Buffer, keyStart: number, dataEnd: number): Member | undefined {
  let start = keyStart + USAGE.length
  while (start < data.length && (data[start]! <= 32 || data[start] === 58)) start++
  if (data[start] !== 110) return undefined
  const end = start + 4
  let depth = 0
  let at = end
  for (; at < dataEnd; at++) {
    const byte = data[at]!
    if (byte === 34) {
      const behind = stringEnd(data, at)
      if (behind < 0) return undefined
      at = behind - 1
    } else if (byte === 123 || byte === 91) depth++
    else if ((byte === 125 || byte === 93) && --depth < 0) break
  }
  return depth < 0 && skipSpace(data, at + 1) >= dataEnd ? { keyStart, start, end } : undefined
}

interface HiddenNull {
  /** The range to hide: the member with its comma. */
  readonly from: number
  readonly to: number
  /** The index behind the blank line of the event. */
  readonly eventEnd: number
}

/**
 * Finds the `usage: null` of the event at `at`, if that has only one line, as nearly all have. Most streams consist of such
 * events, so that it needs no slices of them. undefined: the event is another one, or incomplete, and `hideUsage` reads it.
 * @param key the index of the first `"usage"` from `at` on
 */
export function findNull(bytes: Buffer, at: number, key: number): HiddenNull | undefined {
  if (bytes[at] !== 100 || bytes[at + 1] !== 97 || bytes[at + 4] !== 58) return undefined
  const newline = bytes.indexOf(LF, at)
  if (newline < key) return undefined
  const blank = bytes[newline + 1] === CR ? newline + 2 : newline + 1
  if (bytes[blank] !== LF) return undefined
  const member = lastNull(bytes, key, newline)
  if (member === undefined) return undefined
  const { from, to } = withItsComma(bytes, member)
  // A spread costs more than all of the above.
  return { from, to, eventEnd: blank + 1 }
}

/** Returns where the JSON of the event's only data line begins; -1 when there is no data line, or several. */
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

/** Returns the range of a member and the comma before it; for the first member of its object, the comma after it. */
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
