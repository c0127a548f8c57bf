import {
  type Budget,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  containerEnd,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  stringEnd,
} from "./tokenizer.ts"

const BACKSLASH = 92
/** The longest key, in bytes, that is searched for escapes. */
const MAX_ESCAPED_KEY_BYTES = 256

/** Names of members to find, prepared so that a key is only compared with the names of its own length. */
export class MemberNames {
  private readonly ofLength: (readonly string[])[] = []
  private readonly all: readonly string[]

  constructor(names: readonly string[]) {
    this.all = names
    const longest = names.reduce((most, { length }) => Math.max(most, length), 0)
    // No holes, because each key of each request is looked up here.
    for (let length = 0; length <= longest; length++) this.ofLength.push(names.filter((name) => name.length === length))
  }

  /** Returns the name that is the key from `start` to before `end`, which are the indexes of its quotes. */
  nameAt(bytes: Buffer, start: number, end: number): string | undefined {
    for (const name of this.ofLength[end - start - 2] ?? NO_NAMES) if (isAt(bytes, start + 1, name)) return name
    const key = escapedKeyAt(bytes, start, end)
    return key !== undefined && this.all.includes(key) ? key : undefined
  }

  /** Returns the name that differs from the key only in case, which some providers accept. */
  variantAt(bytes: Buffer, start: number, end: number): string | undefined {
    for (const name of this.ofLength[end - start - 2] ?? NO_NAMES) if (isVariantAt(bytes, start + 1, name)) return name
    const key = escapedKeyAt(bytes, start, end)?.toLowerCase()
    return key === undefined ? undefined : this.all.find((name) => name.toLowerCase() === key)
  }
}

const NO_NAMES: readonly string[] = []

/** The place of one member in the bytes of an object. */
export interface Member {
  /** The index of the opening quote of its key. */
  readonly keyStart: number
  /** Its value is at `start` to before `end`, without white space around it. */
  readonly start: number
  readonly end: number
}

export interface Members {
  /** The requested members that the object has. If a name occurs twice, the last one counts. */
  readonly found: Readonly<Record<string, Member>>
  /**
   * The requested names that the object has more than once, or also in another case. Which of these members a provider
   * takes is not known. undefined: there are none.
   */
  readonly ambiguous: ReadonlySet<string> | undefined
  /** The index after the opening brace. */
  readonly open: number
  /** The index of the closing brace; -1 if the bytes end before it, or if the search gave up. */
  readonly close: number
  /** The object has no members. */
  readonly empty: boolean
}

/** An object and the members that were found in it. */
export interface SearchedObject {
  readonly bytes: Buffer
  readonly members: Members
}

/**
 * Finds members of a JSON object by name, without parsing it. Only the top level is searched. Returns undefined if the
 * bytes are not an object.
 *
 * The search gives up after `maxBytes` bytes outside of strings, so that no body can block the event loop. It then
 * returns the members before that place.
 *
 * Worked example: `model` in `{"a":{"model":1},"model":"m"}` is `{ keyStart: 17, start: 25, end: 28 }`.
 */
export function findMembers(bytes: Buffer, names: MemberNames, maxBytes = 8_000_000): Members | undefined {
  let at = contentStart(bytes)
  if (bytes[at] !== OPEN_OBJECT) return undefined
  const open = ++at
  const { length } = bytes
  let stop = Math.min(length, at + maxBytes)
  const budget: Budget = { left: 0 }
  const found: { [name: string]: Member } = {}
  let ambiguous: Set<string> | undefined
  let empty = true
  let expectsKey = true
  let keyStart = -1
  let name: string | undefined
  let start = -1
  while (at < stop) {
    const byte = bytes[at]!
    if (byte === QUOTE) {
      const end = stringEnd(bytes, at)
      if (end < 0) break
      if (expectsKey) {
        keyStart = at
        name = names.nameAt(bytes, at, end)
        const twice = name === undefined ? names.variantAt(bytes, at, end) : found[name] && name
        if (twice !== undefined) ambiguous = (ambiguous ?? new Set()).add(twice)
        expectsKey = false
        empty = false
      }
      stop = Math.min(length, stop + end - at)
      at = end
    } else if (byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (name !== undefined && start >= 0) found[name] = { keyStart, start, end: trimEnd(bytes, start, at) }
      if (byte !== COMMA) return { found, ambiguous, open, close: at, empty }
      name = undefined
      keyStart = -1
      start = -1
      expectsKey = true
      at++
    } else if (byte === COLON) {
      at++
      if (start < 0 && keyStart >= 0) start = skipSpace(bytes, at)
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      budget.left = stop - at
      at = containerEnd(bytes, at + 1, 1, budget)
      if (at < 0) break
      stop = at + budget.left
    } else {
      at++
    }
  }
  return { found, ambiguous, open, close: -1, empty }
}

/** Returns the value of a member, parsed. Returns undefined if the member is missing or longer than `maxBytes`. */
export function memberValue(bytes: Buffer, member: Member | undefined, maxBytes = 4096): unknown {
  if (!member || member.end - member.start > maxBytes) return undefined
  try {
    return JSON.parse(bytes.toString("utf8", member.start, member.end))
  } catch {
    return undefined
  }
}

const SINGLE_NAMES = new Map<string, MemberNames>()

/** Returns the names to find for one member. `name` is a constant of the code, so there are few. */
export function nameOfMember(name: string): MemberNames {
  const known = SINGLE_NAMES.get(name)
  if (known !== undefined) return known
  const names = new MemberNames([name])
  SINGLE_NAMES.set(name, names)
  return names
}

/** Returns the value of one member of an object, parsed. Returns undefined if it is missing or longer than 4 KiB. */
export function readMember(bytes: Buffer, name: string): unknown {
  return memberValue(bytes, findMembers(bytes, nameOfMember(name))?.found[name])
}

/** Returns the index of the first byte after a byte order mark and white space. */
export function contentStart(bytes: Buffer): number {
  return skipSpace(bytes, bytes[0] === 0xef && bytes[1] === 0xbb ? 3 : 0)
}

/** Returns the index of the first byte from `start` on that is not white space. */
export function skipSpace(bytes: Buffer, start: number): number {
  let at = start
  while (at < bytes.length && bytes[at]! <= 32) at++
  return at
}

function trimEnd(bytes: Buffer, start: number, end: number): number {
  let at = end
  while (at > start && bytes[at - 1]! <= 32) at--
  return at
}

/** Returns the parsed key from `start` to before `end` if it is written with escapes. */
function escapedKeyAt(bytes: Buffer, start: number, end: number): string | undefined {
  if (end - start - 2 > MAX_ESCAPED_KEY_BYTES || !hasEscape(bytes, start, end)) return undefined
  const parsed = memberValue(bytes, { keyStart: start, start, end })
  return typeof parsed === "string" ? parsed : undefined
}

function hasEscape(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] === BACKSLASH) return true
  return false
}

function isAt(bytes: Buffer, start: number, ascii: string): boolean {
  for (let i = 0; i < ascii.length; i++) if (bytes[start + i] !== ascii.charCodeAt(i)) return false
  return true
}

const CASE_BIT = 32

function isVariantAt(bytes: Buffer, start: number, ascii: string): boolean {
  for (let i = 0; i < ascii.length; i++) if (((bytes[start + i]! ^ ascii.charCodeAt(i)) & ~CASE_BIT) !== 0) return false
  return true
}
