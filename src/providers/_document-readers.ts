import { createJsonPruner, type JsonPruner } from "../kit/json/prune.ts"
import { Pieces } from "../kit/pieces.ts"
import type { Collector } from "./_evidence.ts"
import { objectOf } from "./_values.ts"

/** A larger document is not parsed; it is scanned for the wanted members. */
export const MAX_PARSED_BYTES = 256 * 1024
/** The most that is kept of a scanned document. */
const MAX_KEPT_BYTES = 64 * 1024
const BRACE = 123

/** Finds the documents in bytes of one framing. */
export interface Reader {
  push(bytes: Buffer): void
  end(): void
}

/** Reads the messages of a WebSocket, each of which is pushed as a whole. */
export class MessageReader implements Reader {
  private readonly collector: Collector

  constructor(collector: Collector) {
    this.collector = collector
  }

  push(message: Buffer): void {
    const { collector } = this
    if (!collector.wants(message)) return
    if (message.length <= MAX_PARSED_BYTES && addParsed(collector, message)) return
    const pruner = createPruner(collector)
    pruner.push(message)
    pruner.end()
  }

  end(): void {}
}

const NEWLINE = 10

/**
 * Reads one document per line. A line that is cut, as at the beginning or the end of a range of a file, does not affect
 * its neighbors. Only a line that begins with a brace is taken for a new one, because a document may be indented.
 */
export class LineReader implements Reader {
  private readonly collector: Collector
  private pruner: JsonPruner
  /** The bytes began in the middle of a line, which is passed over. */
  private isSkipping: boolean
  private isAfterNewline = false

  constructor(collector: Collector, isAtLineStart: boolean) {
    this.collector = collector
    this.pruner = createPruner(collector)
    this.isSkipping = !isAtLineStart
  }

  push(bytes: Buffer): void {
    let from = 0
    if (this.isAfterNewline && bytes[0] === BRACE) this.beginLine()
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) {
      if (bytes[at + 1] !== BRACE) continue
      this.read(bytes.subarray(from, at))
      this.beginLine()
      from = at + 1
    }
    this.read(bytes.subarray(from))
    this.isAfterNewline = bytes[bytes.length - 1] === NEWLINE
  }

  end(): void {
    this.pruner.end()
  }

  private read(bytes: Buffer): void {
    if (!this.isSkipping) this.pruner.push(bytes)
  }

  private beginLine(): void {
    this.pruner.end()
    this.pruner = createPruner(this.collector)
    this.isSkipping = false
  }
}

/** Reads one document of unknown size: it is held while it is small, and scanned from when it is not. */
export class DocumentReader implements Reader {
  private readonly collector: Collector
  private readonly held = new Pieces()
  private pruner: JsonPruner | undefined

  constructor(collector: Collector) {
    this.collector = collector
  }

  push(bytes: Buffer): void {
    if (this.pruner) {
      this.pruner.push(bytes)
      return
    }
    this.held.push(bytes)
    if (this.held.length > MAX_PARSED_BYTES) this.pruner = this.prune(this.held.take())
  }

  end(): void {
    if (this.pruner) {
      this.pruner.end()
      return
    }
    const bytes = this.held.takeBytes()
    // Where the bytes are cut off, or hold several documents, the whole ones still count.
    if (!addParsed(this.collector, bytes)) this.prune([bytes]).end()
  }

  private prune(pieces: readonly Buffer[]): JsonPruner {
    const pruner = createPruner(this.collector)
    for (const piece of pieces) pruner.push(piece)
    return pruner
  }
}

/** Reads any number of documents, one after the other or in one list, and keeps the wanted members only. */
export function createPruner(collector: Collector): JsonPruner {
  return createJsonPruner(
    collector.shape,
    (document, isComplete) => collector.add(document, !isComplete),
    MAX_KEPT_BYTES,
  )
}

/** Returns false when the bytes are not one JSON document. */
export function addParsed(collector: Collector, bytes: Buffer): boolean {
  let parsed: unknown
  try {
    parsed = JSON.parse(bytes[0] === 0xef ? bytes.toString("utf8", 3) : bytes.toString("utf8"))
  } catch {
    return false
  }
  if (Array.isArray(parsed)) for (const element of parsed) addObject(collector, element)
  else addObject(collector, parsed)
  return true
}

function addObject(collector: Collector, value: unknown): void {
  const document = objectOf(value)
  if (document) collector.add(document)
}
