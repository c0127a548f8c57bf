import * as zlib from "node:zlib"
import type { Meter } from "../providers/_meter.ts"

/** A copy for the meter is never decoded beyond this, nor beyond this multiple of what came. */
const MAX_DECODED_BYTES = 256 * 1024 * 1024
const MAX_RATIO = 1000
const FREE_BYTES = 16 * 1024 * 1024
/** Decoding this much takes well under a millisecond. */
const MAX_SHORT_BYTES = 16 * 1024
const MAX_SHORT_DECODED_BYTES = 256 * 1024

/** Feeds the meter with decoded bytes. `end` calls back when the last of them has arrived there. */
export interface Tap {
  push(bytes: Buffer): void
  end(done: () => void): void
}

/**
 * What lies between the provider's bytes and the meter: nothing, a decoder, or (unknown coding) a wall.
 * @param collected the answer is held back until it is whole, so nothing is won by decoding it piece by piece
 */
export function createTap(contentEncoding: string | undefined, meter: Meter, collected: boolean): Tap {
  const coding = contentEncoding?.trim().toLowerCase()
  if (coding === undefined || coding === "" || coding === "identity") {
    return { push: (bytes) => meter.push(bytes), end: (done) => done() }
  }
  return collected ? tapAtEnd(coding, meter) : tapPieces(coding, meter)
}

/** A short answer decoded in one call costs a fraction of a decoder of its own. */
function tapAtEnd(coding: string, meter: Meter): Tap {
  let pieces: Buffer[] = []
  let held = 0
  let tap: Tap | undefined
  const stream = () => {
    tap = tapPieces(coding, meter)
    for (const piece of pieces) tap.push(piece)
    pieces = []
    return tap
  }
  return {
    push(bytes) {
      if (tap) return tap.push(bytes)
      pieces.push(bytes)
      held += bytes.length
      if (held > MAX_SHORT_BYTES) stream()
    },
    end(done) {
      const text = tap || held === 0 ? undefined : decodeShort(coding, Buffer.concat(pieces, held))
      if (text) meter.push(text)
      if (text || held === 0) done()
      else (tap ?? stream()).end(done)
    },
  }
}

/** Undefined: damaged, or longer than it should be at once: then a decoder gives what it can. */
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

function tapPieces(coding: string, meter: Meter): Tap {
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

function tapThrough(decoder: Decoder | undefined, meter: Meter): Tap {
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
  // A damaged or cut copy costs us the rest of the reading, and the client nothing.
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

function createDecoder(coding: string, firstByte: number): Decoder | undefined {
  // Z_SYNC_FLUSH: a stream that was cut gives what had arrived instead of an error.
  const options = { finishFlush: zlib.constants.Z_SYNC_FLUSH }
  if (coding === "gzip" || coding === "x-gzip") return zlib.createGunzip(options)
  // `deflate` is sent both with its zlib header (whose low nibble is 8) and, wrongly, without.
  if (coding === "deflate")
    return (firstByte & 0x0f) === 8 ? zlib.createInflate(options) : zlib.createInflateRaw(options)
  if (coding === "br") return zlib.createBrotliDecompress({ finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH })
  if (coding === "zstd" && "createZstdDecompress" in zlib) {
    return (zlib as unknown as { createZstdDecompress(): Decoder }).createZstdDecompress()
  }
  return undefined
}
