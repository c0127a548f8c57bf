import type { Reading } from "../core/usage.ts"
import { createJsonPruner, type JsonPruner } from "../kit/json/prune.ts"
import { Pieces } from "../kit/pieces.ts"
import { createSseSplitter } from "../kit/sse.ts"
import { AwsEventReader } from "./_aws-events.ts"
import type { Collector, Evidence } from "./_evidence.ts"
import type { Framing } from "./_framing.ts"
import { bytesOf, objectOf } from "./_values.ts"

/** A larger document is not parsed; it is scanned for the wanted members. */
const MAX_PARSED_BYTES = 256 * 1024
/** The most that is kept of a scanned document. */
const MAX_KEPT_BYTES = 64 * 1024

/** Reads the decoded bytes of one answer, cut anywhere, in bounded memory. Never throws. */
export interface Meter {
  push(bytes: Uint8Array): void
  /** Returns the reading. `complete` is false when the answer was cut off; then part of its usage may be unknown. */
  end(options: { readonly complete: boolean }): Reading
  /** The provider's message about the failure of a stream that had begun well; undefined: it did not fail. */
  readonly error?: string | undefined
  /** The approximate output tokens of a stream so far; undefined: they are not counted while it runs. */
  readonly generatedTokens?: number | undefined
}

/**
 * A meter that finds the JSON documents in an answer's bytes and gives them to a collector. The framing says what to
 * expect, but the first byte decides: providers send JSON errors as `text/event-stream`, and streams as JSON.
 */
export class CollectingMeter implements Meter {
  private readonly framing: Framing
  private readonly collector: Collector
  private readonly toReading: (evidence: Evidence) => Reading
  private reader: Reader | undefined

  constructor(framing: Framing, collector: Collector, toReading: (evidence: Evidence) => Reading) {
    this.framing = framing
    this.collector = collector
    this.toReading = toReading
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const buffer = bytesOf(bytes)
    this.reader ??= createReader(this.framing, buffer, this.collector)
    this.reader?.push(buffer)
  }

  get error(): string | undefined {
    return this.collector.error
  }

  get generatedTokens(): number | undefined {
    return this.collector.generatedTokens
  }

  end({ complete }: { readonly complete: boolean }): Reading {
    this.reader?.end()
    const evidence = this.collector.evidence(complete)
    const reading = this.toReading(evidence)
    if (evidence.source === "reported") return reading
    const countable = this.collector.countable?.(evidence)
    return countable ? { ...reading, countable } : reading
  }
}

/** The meter of an answer that cannot be read, such as sound. What is billed follows from the request alone. */
export class RequestMeter implements Meter {
  private readonly collector: Collector
  private readonly toReading: (evidence: Evidence) => Reading

  constructor(collector: Collector, toReading: (evidence: Evidence) => Reading) {
    this.collector = collector
    this.toReading = toReading
  }

  push(): void {}

  end({ complete }: { readonly complete: boolean }): Reading {
    return this.toReading(this.collector.evidence(complete))
  }
}

/** Finds the documents in bytes of one framing. */
interface Reader {
  push(bytes: Buffer): void
  end(): void
}

const BRACE = 123
const BRACKET = 91
/** The first bytes of a line: of its object, of a byte order mark, or the record separator of JSON text sequences. */
const FIRST_OF_LINE = new Set([BRACE, 30, 0xef, 0xbb, 0xbf])
/** The first bytes of `data:`, `event:`, `id:`, `retry:` and of a comment. */
const FIRST_OF_EVENTS = new Set([100, 101, 105, 114, 58])

/** Returns the reader that fits the first bytes; undefined while nothing but white space has come. */
function createReader(framing: Framing, bytes: Buffer, collector: Collector): Reader | undefined {
  if (framing === "aws-events" && bytes[0] !== BRACE) return new AwsEventReader(collector)
  const first = firstByte(bytes)
  if (framing === "events" && first !== BRACE && first !== BRACKET) return createEventReader(collector)
  if (first === undefined) return undefined
  if (first === BRACKET) return createPruner(collector)
  if (framing === "lines" || framing === "file") return new LineReader(collector, FIRST_OF_LINE.has(first))
  if (first === BRACE) return new DocumentReader(collector)
  return FIRST_OF_EVENTS.has(first) ? createEventReader(collector) : createPruner(collector)
}

function firstByte(bytes: Buffer): number | undefined {
  let at = bytes[0] === 0xef ? 3 : 0
  while (at < bytes.length && bytes[at]! <= 32) at++
  return bytes[at]
}

function createEventReader(collector: Collector): Reader {
  return createSseSplitter(
    {
      event(data) {
        if (collector.wants(data)) addParsed(collector, data)
      },
      long: () => createPruner(collector),
    },
    MAX_PARSED_BYTES,
  )
}

const NEWLINE = 10

/**
 * Reads one document per line. A line that is cut, as at the beginning or the end of a range of a file, does not affect
 * its neighbors. Only a line that begins with a brace is taken for a new one, because a document may be indented.
 */
class LineReader implements Reader {
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
class DocumentReader implements Reader {
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
function createPruner(collector: Collector): JsonPruner {
  return createJsonPruner(
    collector.shape,
    (document, isComplete) => collector.add(document, !isComplete),
    MAX_KEPT_BYTES,
  )
}

/** Returns false when the bytes are not one JSON document. */
function addParsed(collector: Collector, bytes: Buffer): boolean {
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
