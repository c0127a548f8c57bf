import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  END,
  JsonTokenizer,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  SCALAR,
} from "./tokenizer.ts"
import { ValueBytes } from "./value-bytes.ts"

/**
 * The parts of a JSON document to keep. `true`: the whole value. An object: the members of these names (`*`: of any
 * name). `[shape]`: every element of an array. `[shape, "singly"]`: the same, but the document is passed on once for each
 * element, with that element alone and what was kept before the array, so that an array of any length fits into memory.
 * Everything else is skipped without being built.
 */
export type Shape = true | readonly [Shape, "singly"?] | { readonly [name: string]: Shape }

export interface JsonPruner {
  /** Reads the next piece. */
  push(bytes: Buffer): void
  /** Ends the bytes. An unfinished document is passed on with those of its parts that are complete. */
  end(): void
}

const MAX_KEY_BYTES = 256
/** The assumed memory cost of a kept value, in addition to its own bytes. */
const BYTES_PER_VALUE = 16

/** An object or array that is being built because the shape names parts of it. */
interface Level {
  readonly isArray: boolean
  readonly shape: Shape
  readonly value: Record<string, unknown> | unknown[]
  /** The key of the member that is being read, if this is an object. */
  key: string | undefined
  /** The colon after the key has been read. */
  isAfterColon: boolean
  /** The memory cost of the document before this level. */
  readonly bytesBefore: number
}

/** Receives each document when it ends. `complete` is false if the bytes end inside of it. */
type OnDocument = (document: Record<string, unknown>, complete: boolean) => void

/** How the current token is used: as part of the structure, or as bytes of a key or of a value. */
type Mode = "structure" | "key" | "keep" | "skip"

/**
 * Reads JSON documents from bytes that may be cut anywhere, and passes on the parts of each that `shape` names. The
 * bytes hold one document, one per line, or one array whose elements are the documents.
 *
 * At most about `maxKeptBytes` are kept of each document, whatever its size. A wanted value that is longer is left out.
 * Bytes that are not JSON are passed over; no method throws.
 *
 * Worked example: of `{"choices":[{}],"usage":{"n":1}}`, the shape `{ usage: true }` keeps `{ usage: { n: 1 } }`.
 */
export function createJsonPruner(shape: Shape, onDocument: OnDocument, maxKeptBytes: number): JsonPruner {
  return new TokenPruner(shape, onDocument, maxKeptBytes)
}

class TokenPruner implements JsonPruner {
  private readonly shape: Shape
  private readonly onDocument: OnDocument
  private readonly maxKeptBytes: number
  private readonly tokens = new JsonTokenizer()
  private readonly levels: Level[] = []
  private readonly value = new ValueBytes()
  private mode: Mode = "structure"
  /** The memory cost of what is kept of the current document. */
  private documentBytes = 0
  /** The documents are the elements of an array that has begun. */
  private isInList = false

  constructor(shape: Shape, onDocument: OnDocument, maxKeptBytes: number) {
    this.shape = shape
    this.onDocument = onDocument
    this.maxKeptBytes = maxKeptBytes
  }

  push(bytes: Buffer): void {
    const { tokens } = this
    tokens.feed(bytes)
    for (let token = tokens.next(); token !== END; token = tokens.next()) {
      if (this.mode === "structure") this.readToken(token)
      if (this.mode !== "structure") this.readPart(bytes)
    }
  }

  end(): void {
    const { levels, tokens } = this
    if (this.mode === "keep" && tokens.kind === SCALAR) this.finishKept()
    while (levels.length > 1) this.put(levels.pop()!.value)
    const root = levels.pop()
    if (root) this.onDocument(root.value as Record<string, unknown>, false)
  }

  /** Reads one token that is not a part of a key or value. */
  private readToken(token: number): void {
    const level = this.levels[this.levels.length - 1]
    if (token === COMMA) return
    if (level && !level.isArray && !level.isAfterColon) {
      if (token === QUOTE) this.mode = "key"
      else if (token === COLON) level.isAfterColon = level.key !== undefined
      else if (token === CLOSE_OBJECT) this.closeLevel()
    } else if (token === CLOSE_OBJECT) {
      if (level && !level.isArray) this.closeLevel()
    } else if (token === CLOSE_ARRAY) {
      if (level) this.closeLevel()
      else this.isInList = false
    } else if (token !== COLON) {
      this.beginValue(token, level)
    }
  }

  private beginValue(token: number, level: Level | undefined): void {
    if (!level && token === OPEN_ARRAY && !this.isInList) {
      this.isInList = true
      return
    }
    const shape = level ? shapeAt(level) : this.shape
    const isArray = token === OPEN_ARRAY
    if ((isArray && level && Array.isArray(shape)) || (token === OPEN_OBJECT && isMembers(shape))) {
      const value = isArray ? [] : {}
      const bytesBefore = this.documentBytes
      this.levels.push({ isArray, shape: shape!, value, key: undefined, isAfterColon: false, bytesBefore })
      return
    }
    this.mode = shape === true && level && this.room() > 0 ? "keep" : "skip"
    this.tokens.takeValue()
  }

  /** Reads the current token, or its part, as bytes of the key or value. */
  private readPart(bytes: Buffer): void {
    const { tokens, mode, value } = this
    if (mode !== "skip") value.add(bytes, tokens, mode === "key" ? MAX_KEY_BYTES : this.room())
    if (tokens.isOpen) return
    if (mode === "key") this.finishKey()
    else if (mode === "keep") this.finishKept()
    else this.finishValue(undefined)
  }

  private finishKey(): void {
    const key = this.value.take()
    this.levels[this.levels.length - 1]!.key = typeof key === "string" ? key : ""
    this.mode = "structure"
  }

  private finishKept(): void {
    this.documentBytes += this.value.keptBytes
    this.finishValue(this.value.take())
  }

  /** @param value undefined if it is not kept */
  private finishValue(value: unknown): void {
    this.put(value)
    const level = this.levels[this.levels.length - 1]
    if (level) {
      level.key = undefined
      level.isAfterColon = false
    }
    this.mode = "structure"
  }

  private closeLevel(): void {
    const { value } = this.levels.pop()!
    if (this.levels.length > 0) {
      this.finishValue(value)
    } else {
      this.onDocument(value as Record<string, unknown>, true)
      this.documentBytes = 0
    }
  }

  private put(value: unknown): void {
    const level = this.levels[this.levels.length - 1]
    if (!level || value === undefined || this.room() <= 0) return
    if (Array.isArray(level.value)) {
      level.value.push(value)
      if (isSingly(level.shape)) this.passOnElement(level, level.value)
    } else if (level.key !== undefined && level.key !== "__proto__") level.value[level.key] = value
    this.documentBytes += BYTES_PER_VALUE
  }

  /** Passes on the document so far with the only element of an array, and forgets the element. */
  private passOnElement(level: Level, elements: unknown[]): void {
    let document: unknown = elements.slice()
    for (const outer of this.levels.slice(0, -1).reverse()) {
      document = Array.isArray(outer.value)
        ? [...outer.value, document]
        : { ...outer.value, [outer.key ?? ""]: document }
    }
    this.onDocument(document as Record<string, unknown>, true)
    elements.length = 0
    this.documentBytes = level.bytesBefore
  }

  /** Returns how much may still be kept. Lists may fill half of it, so that what follows a long list has a place. */
  private room(): number {
    const isInArray = this.levels.some((level) => level.isArray)
    return (isInArray ? this.maxKeptBytes / 2 : this.maxKeptBytes) - this.documentBytes
  }
}

/** Returns the wanted parts of the value that begins now; undefined: none. */
function shapeAt({ shape, key }: Level): Shape | undefined {
  if (Array.isArray(shape)) return shape[0] as Shape
  if (key === undefined) return undefined
  const members = shape as { readonly [name: string]: Shape }
  return Object.hasOwn(members, key) ? members[key] : members["*"]
}

function isSingly(shape: Shape): boolean {
  return Array.isArray(shape) && shape[1] === "singly"
}

function isMembers(shape: Shape | undefined): boolean {
  return typeof shape === "object" && !Array.isArray(shape)
}
