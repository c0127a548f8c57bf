import * as zlib from "node:zlib"
import { Pieces } from "../kit/pieces.ts"

/** The most that is decoded of one answer for the meter, in bytes and as a multiple of the bytes that arrived. */
const MAX_DECODED_BYTES = 256 * 1024 * 1024
const MAX_RATIO = 1000
/** The ratio is not checked below this. */
const FREE_BYTES = 16 * 1024 * 1024
/** Decoding this much takes well below a millisecond. */
const MAX_SHORT_BYTES = 16 * 1024
const MAX_SHORT_DECODED_BYTES = 256 * 1024

/** Receives the decoded bytes. */
interface Sink {
  push(bytes: Buffer): void
}

/** Gives decoded bytes to the meter. `end` calls `done` when the meter has received the last of them. */
export interface Tap {
  push(bytes: Buffer): void
  end(done: () => void): void
}

/**
 * Creates the tap for an answer: it passes the bytes on, decodes them, or, if the coding is unknown, drops them.
 * @param collected the answer is held back until it is complete, so that it need not be decoded piece by piece
 */
export function createTap(contentEncoding: string | undefined, meter: Sink, collected: boolean): Tap {
  if (!isCompressed(contentEncoding)) return { push: (bytes) => meter.push(bytes), end: (done) => done() }
  const coding = contentEncoding.trim().toLowerCase()
  return collected ? tapAtEnd(coding, meter) : tapPieces(coding, meter)
}

/** Whether a message with this Content-Encoding must be decoded before it can be read. */
export function isCompressed(contentEncoding: string | undefined): contentEncoding is string {
  return contentEncoding !== undefined && !/^\s*(?:identity\s*)?$/i.test(contentEncoding)
}

/** Decodes a short answer in one call, which costs a fraction of a decoder stream. */
function tapAtEnd(coding: string, meter: Sink): Tap {
  const held = new Pieces()
  let tap: Tap | undefined
  const stream = (pieces: readonly Buffer[]) => {
    tap = tapPieces(coding, meter)
    for (const piece of pieces) tap.push(piece)
    return tap
  }
  return {
    push(bytes) {
      if (tap) return tap.push(bytes)
      held.push(bytes)
      if (held.length > MAX_SHORT_BYTES) stream(held.take())
    },
    end(done) {
      if (tap) return tap.end(done)
      if (held.length === 0) return done()
      const bytes = held.takeBytes()
      const text = decodeShort(coding, bytes)
      if (!text) return stream([bytes]).end(done)
      meter.push(text)
      done()
    },
  }
}

/** Returns undefined for damaged bytes or too long a text: a decoder stream then gives as much as it can. */
function decodeShort(coding: string, bytes: Buffer): Buffer | undefined {
  const options = { maxOutputLength: MAX_SHORT_DECODED_BYTES }
  try {
    if (coding === "gzip" || coding === "x-gzip") return zlib.gunzipSync(bytes, options)
    if (coding === "br") return zlib.brotliDecompressSync(bytes, options)
    return undefined
  } catch {
    return undefined
  }
}

function tapPieces(coding: string, meter: Sink): Tap {
  let tap: Tap | undefined
  return {
    push(bytes) {
      if (bytes.length === 0) return
      tap ??= tapThrough(createDecoder(coding, bytes[0]!), meter)
      tap.push(bytes)
    },
    end: (done) => (tap ? tap.end(done) : done()),
  }
}

type Decoder = zlib.Gunzip | zlib.BrotliDecompress

function tapThrough(decoder: Decoder | undefined, meter: Sink): Tap {
  if (!decoder) return { push: () => {}, end: (done) => done() }
  let received = 0
  let decoded = 0
  let broken = false
  let onDone: (() => void) | undefined
  const stop = () => {
    broken = true
    onDone?.()
    onDone = undefined
  }
  decoder.on("data", (bytes: Buffer) => {
    decoded += bytes.length
    if (decoded > MAX_DECODED_BYTES || (decoded > FREE_BYTES && decoded > received * MAX_RATIO)) {
      decoder.destroy()
      stop()
    } else meter.push(bytes)
  })
  // Damaged or incomplete bytes cost the rest of the reading; the client receives them unchanged.
  decoder.on("error", stop)
  decoder.on("close", stop)
  decoder.on("end", stop)
  return {
    push(bytes) {
      received += bytes.length
      if (!broken) decoder.write(bytes)
    },
    end(done) {
      if (broken) return done()
      onDone = done
      decoder.end()
    },
  }
}

/** Returns the decoder of a content coding; undefined: it is unknown. The first byte tells two forms of `deflate` apart. */
export function createDecoder(coding: string, firstByte: number): Decoder | undefined {
  // Z_SYNC_FLUSH: an interrupted stream gives what has arrived instead of an error.
  const options = { finishFlush: zlib.constants.Z_SYNC_FLUSH }
  if (coding === "gzip" || coding === "x-gzip") return zlib.createGunzip(options)
  // Servers send `deflate` with a zlib header (its low nibble is 8) and, against the standard, without one.
  if (coding === "deflate")
    return (firstByte & 0x0f) === 8 ? zlib.createInflate(options) : zlib.createInflateRaw(options)
  if (coding === "br") return zlib.createBrotliDecompress({ finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH })
  if (coding === "zstd" && "createZstdDecompress" in zlib) {
    return (zlib as unknown as { createZstdDecompress(): Decoder }).createZstdDecompress()
  }
  return undefined
}
