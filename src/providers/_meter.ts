import { createJsonPruner, type JsonPruner } from "../kit/json/prune.ts"
import { createSseSplitter, type SseSplitter } from "../kit/sse.ts"
import type { Meter, ResponseHead } from "./_dialect.ts"
import type { Fold, JsonObject } from "./_fold.ts"
import { bytesOf } from "./_values.ts"

/** Up to this size a document is parsed; a larger one is scanned for the wanted members only. */
const MAX_PARSED_BYTES = 256 * 1024
/** Of a scanned document at most this much is kept. */
const MAX_KEPT_BYTES = 64 * 1024

/**
 * A meter that finds the documents in an answer's bytes and gives them to a fold. The content type says what to
 * expect; the first byte decides, for providers send JSON errors as `text/event-stream` and streams as JSON.
 */
export function createFoldingMeter(head: ResponseHead, fold: Fold): Meter {
  let framing: Framing | undefined
  return {
    push(bytes) {
      if (bytes.length === 0) return
      const buffer = bytesOf(bytes)
      framing ??= chooseFraming(head, buffer, fold)
      framing?.push(buffer)
    },
    end({ complete }) {
      framing?.end()
      return fold.reading(complete)
    },
  }
}

interface Framing {
  push(bytes: Buffer): void
  end(): void
}

/** undefined: nothing but white space so far. */
function chooseFraming(head: ResponseHead, bytes: Buffer, fold: Fold): Framing | undefined {
  const type = head.contentType.toLowerCase()
  if (type.startsWith("text/event-stream")) {
    const first = firstByte(bytes)
    if (first !== 123 && first !== 91) return sseFraming(fold)
  }
  const first = firstByte(bytes)
  if (first === undefined) return undefined
  if (first === 91 || type.includes("jsonl") || type.includes("ndjson")) return documentsFraming(fold)
  if (first === 123) return documentFraming(fold)
  // `data:`, `event:`, `id:`, `retry:`, or a comment.
  if (FIRST_OF_SSE.has(first)) return sseFraming(fold)
  return documentsFraming(fold)
}

const FIRST_OF_SSE = new Set([100, 101, 105, 114, 58])

function firstByte(bytes: Buffer): number | undefined {
  let at = bytes[0] === 0xef ? 3 : 0
  while (at < bytes.length && bytes[at]! <= 32) at++
  return bytes[at]
}

function sseFraming(fold: Fold): SseSplitter {
  return createSseSplitter(
    {
      event(data) {
        if (fold.wants(data)) addParsed(fold, data)
      },
      long: () => prunerFor(fold),
    },
    MAX_PARSED_BYTES,
  )
}

/** One document of unknown size: held while it is small, scanned from when it is not. */
function documentFraming(fold: Fold): Framing {
  let held: Buffer[] | undefined = []
  let heldBytes = 0
  let pruner: JsonPruner | undefined
  return {
    push(bytes) {
      if (pruner) return pruner.push(bytes)
      held!.push(bytes)
      heldBytes += bytes.length
      if (heldBytes <= MAX_PARSED_BYTES) return
      pruner = prunerFor(fold)
      for (const piece of held!) pruner.push(piece)
      held = undefined
    },
    end() {
      if (pruner) return pruner.end()
      const bytes = held!.length === 1 ? held![0]! : Buffer.concat(held!)
      held = []
      if (addParsed(fold, bytes)) return
      // Cut off, or several documents: what is whole in it still counts.
      const scan = prunerFor(fold)
      scan.push(bytes)
      scan.end()
    },
  }
}

/** A list of documents: Gemini's array stream, or one per line. Nothing is held but the wanted members. */
function documentsFraming(fold: Fold): Framing {
  return prunerFor(fold)
}

function prunerFor(fold: Fold): JsonPruner {
  return createJsonPruner(fold.shape, (document) => fold.add(document), MAX_KEPT_BYTES)
}

function addParsed(fold: Fold, bytes: Buffer): boolean {
  let document: unknown
  try {
    document = JSON.parse(bytes[0] === 0xef ? bytes.toString("utf8", 3) : bytes.toString("utf8"))
  } catch {
    return false
  }
  if (Array.isArray(document)) {
    for (const element of document) if (isObject(element)) fold.add(element)
  } else if (isObject(document)) {
    fold.add(document)
  }
  return true
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
