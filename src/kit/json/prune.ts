import { createValueScanner } from "./value.ts"

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
const COMMA = 44
const COLON = 58
const MAX_KEY_BYTES = 256
/** What any value is taken to cost beside its own bytes. */
const BYTES_PER_VALUE = 16

/** A container that is being built: an object or array with wanted parts. */
interface Level {
  readonly array: boolean
  readonly shape: Shape
  readonly value: Record<string, unknown> | unknown[]
  key: string | undefined
  /** Between key and value of an object. */
  afterColon: boolean
}

/**
 * Reads any number of JSON documents (one; one per line; or the elements of one array) from bytes cut anywhere, and
 * gives of each the parts that the shape names. Memory is bounded by `maxKeptBytes` per document whatever its size;
 * a wanted value that is longer is left out. Never throws.
 */
export function createJsonPruner(
  shape: Shape,
  onDocument: (document: Record<string, unknown>, complete: boolean) => void,
  maxKeptBytes: number,
): JsonPruner {
  const stack: Level[] = []
  const scanner = createValueScanner()
  const keeper = createKeeper()
  let mode: "structure" | "skip" | "keep" | "key" = "structure"
  /** What the running document has taken up. */
  let documentBytes = 0
  /** Inside the array whose elements are the documents. */
  let inList = false

  const top = () => stack[stack.length - 1]

  /** Lists may fill half of the room: what stands behind a long one must still find a place. */
  function room(): number {
    const limit = stack.some((level) => level.array) ? maxKeptBytes / 2 : maxKeptBytes
    return limit - documentBytes
  }

  function put(value: unknown) {
    const level = top()
    if (!level || value === undefined || room() <= 0) return
    if (Array.isArray(level.value)) level.value.push(value)
    else if (level.key !== undefined && level.key !== "__proto__") level.value[level.key] = value
    documentBytes += BYTES_PER_VALUE
  }

  /** What is wanted of the value that begins now; undefined: nothing. */
  function wanted(): Shape | undefined {
    const level = top()
    if (!level) return shape
    if (Array.isArray(level.shape)) return level.shape[0]
    const members = level.shape as { readonly [name: string]: Shape }
    if (level.key === undefined) return undefined
    return Object.hasOwn(members, level.key) ? members[level.key] : members["*"]
  }

  function valueDone() {
    const level = top()
    if (level) {
      level.key = undefined
      level.afterColon = false
    }
    mode = "structure"
  }

  function closeLevel() {
    const level = stack.pop()!
    if (stack.length > 0) {
      put(level.value)
      valueDone()
    } else {
      onDocument(level.value as Record<string, unknown>, true)
      documentBytes = 0
    }
  }

  /** At the first byte of a value. Gives true when the byte is consumed. */
  function startValue(byte: number): boolean {
    if (stack.length === 0 && byte === 91 && !inList) {
      inList = true
      return true
    }
    const want = wanted()
    const array = byte === 91
    if ((array && stack.length > 0 && Array.isArray(want)) || (byte === 123 && isMembers(want))) {
      stack.push({ array, shape: want!, value: array ? [] : {}, key: undefined, afterColon: false })
      return true
    }
    mode = want === true && stack.length > 0 && room() > 0 ? "keep" : "skip"
    scanner.begin(byte)
    return false
  }

  /** One byte between values. Gives where to go on: the same place when a value begins. */
  function structure(byte: number, at: number): number {
    if (byte <= 32 || byte === COMMA) return at + 1
    const level = top()
    if (level && !level.array && !level.afterColon) {
      if (byte === 125) closeLevel()
      else if (byte === COLON && level.key !== undefined) level.afterColon = true
      else if (byte === QUOTE) {
        mode = "key"
        scanner.begin(QUOTE)
        return at
      }
      return at + 1
    }
    // One that closes nothing is passed over: as a value it would have no byte, and never end.
    if (byte === 125) {
      if (level && !level.array) closeLevel()
      return at + 1
    }
    if (byte === 93) {
      if (level) closeLevel()
      else inList = false
      return at + 1
    }
    // Not JSON, or a byte order mark: go on until something begins.
    if (!level && (byte === COLON || byte >= 0x80)) return at + 1
    return startValue(byte) ? at + 1 : at
  }

  function finishValue() {
    if (mode === "key") {
      const key = keeper.take()
      top()!.key = typeof key === "string" ? key : ""
      mode = "structure"
      return
    }
    if (mode === "keep") {
      documentBytes += keeper.size()
      put(keeper.take())
    }
    valueDone()
  }

  return {
    push(bytes) {
      let at = 0
      while (at < bytes.length) {
        if (mode === "structure") {
          at = structure(bytes[at]!, at)
          continue
        }
        const end = scanner.run(bytes, at)
        const to = end < 0 ? bytes.length : end
        if (mode !== "skip") keeper.keep(bytes, at, to, mode === "key" ? MAX_KEY_BYTES : room())
        if (end >= 0) finishValue()
        at = to
      }
    },
    end() {
      if (mode === "keep" && scanner.isScalar()) finishValue()
      keeper.take()
      mode = "structure"
      while (stack.length > 1) put(stack.pop()!.value)
      const root = stack.pop()
      if (root) onDocument(root.value as Record<string, unknown>, false)
    },
  }
}

function isMembers(shape: Shape | undefined): boolean {
  return typeof shape === "object" && !Array.isArray(shape)
}

/** Collects the bytes of one value up to a limit, over which it is lost, and parses them. */
function createKeeper() {
  let pieces: Buffer[] = []
  let bytesKept = 0
  let lost = false
  return {
    size: () => (lost ? 0 : bytesKept),
    keep(bytes: Buffer, from: number, to: number, limit: number) {
      if (lost || to <= from) return
      bytesKept += to - from
      if (bytesKept > limit) {
        lost = true
        pieces = []
      } else {
        pieces.push(Buffer.from(bytes.subarray(from, to)))
      }
    },
    /** The value; undefined when it was lost, cut, or no JSON. Ready for the next. */
    take(): unknown {
      const text = lost ? "" : Buffer.concat(pieces).toString()
      pieces = []
      bytesKept = 0
      lost = false
      try {
        return JSON.parse(text)
      } catch {
        return undefined
      }
    },
  }
}
