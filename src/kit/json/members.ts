const QUOTE = 34
const BACKSLASH = 92
const SHORT_STRING = 48
const MAX_ESCAPED = 256 // bytes of a key that says one of the names by escapes

/** Where a member stands in the bytes: from its key's quote, its value from `start` to before `end`. */
export interface Member {
  readonly keyStart: number
  readonly start: number
  readonly end: number
}

export interface Members {
  /** Of the names asked for, those that the object has; of a name that comes twice, the last. */
  readonly found: Readonly<Record<string, Member>>
  /** Just behind the opening brace. */
  readonly open: number
  /** At the closing brace; -1: the bytes end before it, or the search gave up. */
  readonly close: number
  readonly empty: boolean
}

/**
 * Finds members of a JSON object without parsing it: the top level only, strings jumped over natively. Gives up after
 * `budget` bytes of anything else, so that no body can block the loop. undefined: not an object.
 */
export function findMembers(bytes: Buffer, names: readonly string[], budget = 8_000_000): Members | undefined {
  let at = contentStart(bytes)
  if (bytes[at] !== 123) return undefined
  const open = at + 1
  const found: { [name: string]: Member } = {}
  let empty = true
  let steps = 0
  let depth = 1
  let keyStart = -1
  let name: string | undefined
  let valueStart = -1
  let expectKey = true
  at = open
  const { length } = bytes
  for (; at < length; at++) {
    if (++steps > budget) break
    const byte = bytes[at]!
    if (byte === QUOTE) {
      const end = stringEnd(bytes, at)
      if (end < 0) break
      if (depth === 1 && expectKey) {
        keyStart = at
        name = nameAt(bytes, at, end, names)
        expectKey = false
        empty = false
      }
      // A run of many short strings is paid for by their number, not their length.
      at = end - 1
    } else if (byte === 58) {
      if (depth === 1 && valueStart < 0 && keyStart >= 0) valueStart = skipSpace(bytes, at + 1)
    } else if (byte === 123 || byte === 91) {
      depth++
    } else if (byte === 125 || byte === 93) {
      if (--depth === 0) {
        endMember(at)
        return { found, open, close: at, empty }
      }
    } else if (byte === 44 && depth === 1) {
      endMember(at)
      expectKey = true
    }
  }
  return { found, open, close: -1, empty }

  function endMember(stop: number) {
    if (name !== undefined && valueStart >= 0) {
      let end = stop
      while (end > valueStart && bytes[end - 1]! <= 32) end--
      found[name] = { keyStart, start: valueStart, end }
    }
    name = undefined
    keyStart = -1
    valueStart = -1
  }
}

/** The value of a member, parsed; undefined when it is missing or longer than `maxBytes`. */
export function memberValue(bytes: Buffer, member: Member | undefined, maxBytes = 4096): unknown {
  if (!member || member.end - member.start > maxBytes) return undefined
  try {
    return JSON.parse(bytes.toString("utf8", member.start, member.end))
  } catch {
    return undefined
  }
}

/** Behind the closing quote of the string that begins at `start`; -1: it does not end. */
export function stringEnd(bytes: Buffer, start: number): number {
  // Most strings are short: only what is left after a few bytes is worth a native search.
  let at = start + 1
  const near = Math.min(at + SHORT_STRING, bytes.length)
  while (at < near) {
    const byte = bytes[at++]!
    if (byte === QUOTE) return at
    if (byte === BACKSLASH) at++
  }
  const from = at
  let quote = at - 1
  for (;;) {
    quote = bytes.indexOf(QUOTE, quote + 1)
    if (quote < 0) return -1
    let backslashes = 0
    for (let i = quote - 1; i >= from && bytes[i] === BACKSLASH; i--) backslashes++
    if (backslashes % 2 === 0) return quote + 1
  }
}

/** Behind a byte order mark and white space. */
export function contentStart(bytes: Buffer): number {
  return skipSpace(bytes, bytes[0] === 0xef && bytes[1] === 0xbb ? 3 : 0)
}

export function skipSpace(bytes: Buffer, start: number): number {
  let at = start
  while (at < bytes.length && bytes[at]! <= 32) at++
  return at
}

function nameAt(bytes: Buffer, start: number, end: number, names: readonly string[]): string | undefined {
  const length = end - start - 2
  for (const name of names) if (name.length === length && isAt(bytes, start + 1, name)) return name
  if (length > MAX_ESCAPED || !hasEscape(bytes, start, end)) return undefined
  const parsed = memberValue(bytes, { keyStart: start, start, end })
  return typeof parsed === "string" && names.includes(parsed) ? parsed : undefined
}

function hasEscape(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] === BACKSLASH) return true
  return false
}

function isAt(bytes: Buffer, start: number, ascii: string): boolean {
  for (let i = 0; i < ascii.length; i++) if (bytes[start + i] !== ascii.charCodeAt(i)) return false
  return true
}
