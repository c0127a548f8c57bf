/**
 * Which parts of a JSON document to keep. `true`: the whole value. An object: those members, by name (`*`: any name).
 * `[shape]`: every element of an array. Everything else is skipped without being built.
 */
export type Shape = true | readonly [Shape] | { readonly [name: string]: Shape }

export interface JsonPruner {
  push(bytes: Buffer): void
  /** The stream is over. What is unfinished is given as far as it came. */
  end(): void
}

const QUOTE = 34
const BACKSLASH = 92
const COMMA = 44
const COLON = 58
const MAX_KEY_BYTES = 256
const SHORT_STRING = 48

interface Level {
  readonly array: boolean
  /** undefined: the members of this container are not wanted (only the root's own list of documents has none). */
  readonly shape: Shape | undefined
  readonly value: Record<string, unknown> | unknown[]
  key: string | undefined
  /** Between key and value of an object. */
  afterColon: boolean
}

/**
 * Reads any number of JSON documents (one; one per line; or the elements of one array) from bytes cut anywhere, and
 * gives of each the parts that the shape names. Memory is bounded by `maxKeptBytes` per document whatever its size;
 * a wanted value that is longer is left out. Depth costs nothing: skipped nesting is only counted. Never throws.
 */
export function createJsonPruner(
  shape: Shape,
  onDocument: (document: Record<string, unknown>, complete: boolean) => void,
  maxKeptBytes: number,
): JsonPruner {
  const stack: Level[] = []
  /** A value that is being skipped or kept: how deep we are inside it, and whether in a string. */
  let depth = 0
  let inString = false
  let escaped = false
  /** Reading a scalar (number, literal) outside any container of the value. */
  let inScalar = false
  let mode: "structure" | "skip" | "keep" | "key" = "structure"
  let kept: Buffer[] = []
  let keptBytes = 0
  let documentBytes = 0
  let overflow = false
  let rootArray = false

  function top(): Level | undefined {
    return stack[stack.length - 1]
  }

  function keep(bytes: Buffer, from: number, to: number, limit: number) {
    if (overflow || to <= from) return
    if (keptBytes + (to - from) > limit) {
      overflow = true
      kept = []
      return
    }
    kept.push(Buffer.from(bytes.subarray(from, to)))
    keptBytes += to - from
  }

  function taken(): unknown {
    const text = kept.length === 1 ? kept[0]!.toString() : Buffer.concat(kept).toString()
    const lost = overflow
    kept = []
    keptBytes = 0
    overflow = false
    if (lost) return undefined
    documentBytes += text.length
    try {
      return JSON.parse(text)
    } catch {
      return undefined
    }
  }

  function put(value: unknown) {
    if (value === undefined) return
    const level = top()
    if (!level) return
    if (Array.isArray(level.value)) {
      if (documentBytes < maxKeptBytes) level.value.push(value)
    } else if (level.key !== undefined && level.key !== "__proto__") {
      level.value[level.key] = value
    }
    documentBytes += 16
  }

  function wanted(): Shape | undefined {
    const level = top()
    if (!level) return shape
    if (level.array) return Array.isArray(level.shape) ? level.shape[0] : undefined
    if (level.key === undefined || typeof level.shape !== "object" || Array.isArray(level.shape)) return undefined
    const members = level.shape as { readonly [name: string]: Shape }
    if (Object.hasOwn(members, level.key)) return members[level.key]
    return members["*"]
  }

  function valueDone() {
    const level = top()
    if (level && !level.array) {
      level.key = undefined
      level.afterColon = false
    }
    mode = "structure"
  }

  function closeLevel() {
    const level = stack.pop()
    if (!level) return
    if (stack.length > 0) {
      put(level.value)
      valueDone()
    } else {
      if (!level.array) onDocument(level.value as Record<string, unknown>, true)
      documentBytes = 0
    }
  }

  /** At the first byte of a value: decides what becomes of it. Gives true when the byte is consumed. */
  function startValue(byte: number): boolean {
    const isObject = byte === 123
    const isArray = byte === 91
    if (stack.length === 0 && isArray && !rootArray) {
      // The list of documents itself: its elements are taken as if they stood alone.
      rootArray = true
      return true
    }
    const want = wanted()
    const level = top()
    if (isObject && typeof want === "object" && !Array.isArray(want)) {
      stack.push({ array: false, shape: want, value: {}, key: undefined, afterColon: false })
      return true
    }
    if (isArray && Array.isArray(want) && level) {
      stack.push({ array: true, shape: want, value: [], key: undefined, afterColon: false })
      return true
    }
    mode = want === true && level && documentBytes < maxKeptBytes ? "keep" : "skip"
    depth = 0
    inString = false
    escaped = false
    inScalar = !(isObject || isArray || byte === QUOTE)
    return false
  }

  /** Runs through a value that is kept or skipped; gives where to go on. */
  function runValue(bytes: Buffer, start: number): number {
    const { length } = bytes
    let at = start
    while (at < length) {
      if (inString) {
        at = skipString(bytes, at)
        if (inString) break
        if (depth === 0) return finishValue(bytes, start, at)
        continue
      }
      const byte = bytes[at]!
      if (inScalar) {
        if (byte === COMMA || byte === 125 || byte === 93 || byte <= 32) return finishValue(bytes, start, at)
        at++
        continue
      }
      at++
      if (byte === QUOTE) {
        inString = true
      } else if (byte === 123 || byte === 91) {
        depth++
      } else if (byte === 125 || byte === 93) {
        depth--
        if (depth <= 0) return finishValue(bytes, start, at)
      }
    }
    if (mode === "keep") keep(bytes, start, length, maxKeptBytes - documentBytes)
    return length
  }

  function finishValue(bytes: Buffer, start: number, end: number): number {
    if (mode === "keep") {
      keep(bytes, start, end, maxKeptBytes - documentBytes)
      put(taken())
    }
    inScalar = false
    valueDone()
    return end
  }

  /** From inside a string to behind its closing quote, or to the end of the bytes. */
  function skipString(bytes: Buffer, start: number): number {
    let at = start
    if (escaped) {
      escaped = false
      at++
    }
    // Most strings are short: only what is left after a few bytes is worth a native search.
    const near = Math.min(at + SHORT_STRING, bytes.length)
    while (at < near) {
      const byte = bytes[at++]!
      if (byte === QUOTE) {
        inString = false
        return at
      }
      if (byte === BACKSLASH) at++
    }
    if (at >= bytes.length) {
      escaped = at > bytes.length
      return bytes.length
    }
    for (;;) {
      const quote = bytes.indexOf(QUOTE, at)
      const stop = quote < 0 ? bytes.length : quote
      let backslashes = 0
      for (let i = stop - 1; i >= at && bytes[i] === BACKSLASH; i--) backslashes++
      const odd = backslashes % 2 === 1
      if (quote < 0) {
        escaped = odd
        return bytes.length
      }
      at = quote + 1
      if (odd) continue
      inString = false
      return at
    }
  }

  function structure(bytes: Buffer, at: number): number {
    const byte = bytes[at]!
    if (byte <= 32 || byte === COMMA) return at + 1
    const level = top()
    if (level && !level.array) {
      if (byte === 125) {
        closeLevel()
        return at + 1
      }
      if (!level.afterColon) {
        if (byte === COLON && level.key !== undefined) level.afterColon = true
        else if (byte === QUOTE) {
          mode = "key"
          inString = true
          escaped = false
          kept.push(QUOTE_BYTES)
          keptBytes = 1
        }
        return at + 1
      }
    } else if (byte === 93) {
      if (level) closeLevel()
      else rootArray = false
      return at + 1
    } else if (!level && (byte === 125 || byte === COLON || byte >= 0x80)) {
      // Not JSON, or a byte order mark: go on until something begins.
      return at + 1
    }
    return startValue(byte) ? at + 1 : runValue(bytes, at)
  }

  return {
    push(bytes) {
      let at = 0
      while (at < bytes.length) {
        if (mode === "structure") {
          at = structure(bytes, at)
        } else if (mode === "key") {
          const from = at
          at = skipString(bytes, at)
          keep(bytes, from, at, MAX_KEY_BYTES)
          if (!inString) {
            const key = taken()
            top()!.key = typeof key === "string" ? key : ""
            mode = "structure"
          }
        } else {
          at = runValue(bytes, at)
        }
      }
    },
    end() {
      if (mode === "keep") {
        if (inScalar) put(taken())
        else taken()
      }
      mode = "structure"
      while (stack.length > 1) {
        const level = stack.pop()!
        put(level.value)
      }
      const root = stack.pop()
      if (root && !root.array) onDocument(root.value as Record<string, unknown>, false)
      kept = []
    },
  }
}

const QUOTE_BYTES = Buffer.from('"')
