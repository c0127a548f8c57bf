import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { Body, Headers } from "../core/call.ts"
import type { Outline } from "../kit/outline.ts"
import type { ProviderRequest } from "../providers/_dialect.ts"
import { isLarge } from "./body.ts"
import { createDecoder, isCompressed } from "./decode.ts"
import { createOutline } from "./large-body.ts"

/** The form of a request's body that the dialects read. */
export type ReadableBody = Pick<ProviderRequest, "body" | "readStart">

/** The most that is decoded of one compressed body, and its multiple of the bytes that arrived. */
const MAX_DECODED_BYTES = 64 * 1024 * 1024
const MAX_RATIO = 100
/** The ratio is not checked below this, because a short prompt of repeated words exceeds it. */
const FREE_BYTES = 1024 * 1024
/** A body up to this size is read as a whole, and of a larger one this much beside its outline. */
const MAX_START_BYTES = 1024 * 1024

const NOTHING: ReadableBody = { body: Buffer.alloc(0) }

/** Returns true if the body must be decoded before it can be read. */
export function isEncoded(headers: Headers): boolean {
  return isCompressed(codingOf(headers))
}

/** Returns the body in the form that the dialects read. A compressed body must be decoded first, by `decodeBody`. */
export function toReadableBody(body: Body): ReadableBody {
  if (!isLarge(body)) return { body }
  return { body: body.outline, readStart: (maxBytes) => body.read(maxBytes) }
}

/**
 * Decodes a compressed body, in bounded memory and only for reading: the provider gets the bytes of the client. Nothing
 * is known of a body that is damaged, that has an unknown coding, or that exceeds the bounds. Never rejects.
 */
export async function decodeBody(body: Body, headers: Headers): Promise<ReadableBody> {
  const start = isLarge(body) ? body.read(1) : body
  const decoder = start.length === 0 ? undefined : createDecoder(codingOf(headers).trim().toLowerCase(), start[0]!)
  if (!decoder) return NOTHING
  const reader = new DecodedReader(Math.max(FREE_BYTES, body.length * MAX_RATIO))
  try {
    const pieces = isLarge(body) ? body.pieces(undefined) : [body]
    await pipeline(Readable.from(pieces, { objectMode: false }), decoder, async (decoded: AsyncIterable<Buffer>) => {
      for await (const piece of decoded) reader.push(piece)
    })
  } catch {
    // The part that was read until then might be contradicted by the rest, as when a member is repeated.
    return NOTHING
  }
  return reader.toReadableBody()
}

function codingOf(headers: Headers): string {
  return String(headers["content-encoding"] ?? "")
}

/** Keeps the beginning of the decoded bytes, and the outline of all. */
class DecodedReader {
  private readonly maxBytes: number
  private readonly pieces: Buffer[] = []
  private keptBytes = 0
  private totalBytes = 0
  private outline: Outline | undefined

  constructor(maxBytes: number) {
    this.maxBytes = Math.min(maxBytes, MAX_DECODED_BYTES)
  }

  /** @throws when the bytes exceed the bound */
  push(piece: Buffer): void {
    this.totalBytes += piece.length
    if (this.totalBytes > this.maxBytes) throw new RangeError("The decoded body exceeds its bound.")
    const kept = piece.subarray(0, MAX_START_BYTES - this.keptBytes)
    if (kept.length > 0) this.pieces.push(kept)
    this.keptBytes += kept.length
    this.outline ??= createOutline(piece)
    this.outline.push(piece)
  }

  toReadableBody(): ReadableBody {
    const start = Buffer.concat(this.pieces, this.keptBytes)
    if (this.totalBytes === this.keptBytes || !this.outline) return { body: start }
    return { body: this.outline.bytes(), readStart: (maxBytes) => start.subarray(0, maxBytes) }
  }
}
