import type { Reading } from "../core/usage.ts"
import { createSseSplitter } from "../kit/sse.ts"
import { AwsEventReader } from "./_aws-events.ts"
import {
  addParsed,
  createPruner,
  DocumentReader,
  LineReader,
  MAX_PARSED_BYTES,
  MessageReader,
  type Reader,
} from "./_document-readers.ts"
import type { Collector, Evidence } from "./_evidence.ts"
import type { Framing } from "./_framing.ts"
import { bytesOf } from "./_values.ts"

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

const BRACE = 123
const BRACKET = 91
/** The first bytes of a line: of its object, of a byte order mark, or the record separator of JSON text sequences. */
const FIRST_OF_LINE = new Set([BRACE, 30, 0xef, 0xbb, 0xbf])
/** The first bytes of `data:`, `event:`, `id:`, `retry:` and of a comment. */
const FIRST_OF_EVENTS = new Set([100, 101, 105, 114, 58])

/** Returns the reader that fits the first bytes; undefined while nothing but white space has come. */
function createReader(framing: Framing, bytes: Buffer, collector: Collector): Reader | undefined {
  if (framing === "messages") return new MessageReader(collector)
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
        if (!collector.wants(data)) return collector.textAt
        addParsed(collector, data)
        return -1
      },
      ...(collector.addRepeated && { repeated: (event) => collector.addRepeated!(event) }),
      long: () => createPruner(collector),
    },
    MAX_PARSED_BYTES,
  )
}
