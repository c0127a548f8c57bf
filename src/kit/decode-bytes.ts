import * as zlib from "node:zlib"

/** To get the first bytes of a text, at most this many times more bytes are decoded. */
const MAX_EXCESS = 16
const MAX_EXCESS_BYTES = 8 << 20
/** No ordinary text is compressed to less than a thousandth. */
const MAX_RATIO = 1000
const SMALL_BYTES = 1 << 20

interface Decoded {
  readonly bytes: Buffer
  readonly isTruncated: boolean
}

/**
 * Returns the first `maxBytes` of a compressed text; `bytes` may be incomplete. It decodes at most 16 times `maxBytes`,
 * whatever the bytes are. Returns `undefined` for an unknown coding, or for bytes that are not in that coding.
 */
export function decodeBytes(bytes: Buffer, coding: string | undefined, maxBytes: number): Decoded | undefined {
  const name = coding?.trim().toLowerCase() ?? ""
  if (name === "" || name === "identity" || bytes.length === 0) {
    return { bytes: bytes.subarray(0, maxBytes), isTruncated: bytes.length > maxBytes }
  }
  const decode = findDecoder(name, bytes)
  if (decode === undefined) return undefined
  const excess = Math.min(maxBytes * MAX_EXCESS, MAX_EXCESS_BYTES)
  const limit = Math.min(Math.max(maxBytes, excess), Math.max(SMALL_BYTES, bytes.length * MAX_RATIO))
  // Compressed bytes contain at least as many plain ones.
  let taken = Math.min(bytes.length, maxBytes + 1024)
  for (;;) {
    try {
      const whole = decode(bytes.subarray(0, taken), limit)
      return { bytes: whole.subarray(0, maxBytes), isTruncated: taken < bytes.length || whole.length > maxBytes }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE") return undefined
      if (taken < MAX_EXCESS) return { bytes: bytes.subarray(0, 0), isTruncated: true }
      taken = Math.floor(taken / MAX_EXCESS)
    }
  }
}

type Decode = (bytes: Buffer, maxOutputLength: number) => Buffer

function findDecoder(coding: string, bytes: Buffer): Decode | undefined {
  // With Z_SYNC_FLUSH, incomplete input gives what can be decoded instead of an error.
  const finishFlush = zlib.constants.Z_SYNC_FLUSH
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return (part, maxOutputLength) => zlib.gunzipSync(part, { finishFlush, maxOutputLength })
    case "deflate": {
      // It is sent with a zlib header, whose low nibble is 8, and by mistake also without.
      const inflate = (bytes[0]! & 0x0f) === 8 ? zlib.inflateSync : zlib.inflateRawSync
      return (part, maxOutputLength) => inflate(part, { finishFlush, maxOutputLength })
    }
    case "br":
      return (part, maxOutputLength) =>
        zlib.brotliDecompressSync(part, { finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH, maxOutputLength })
    case "zstd": {
      const { zstdDecompressSync: unzstd } = zlib as unknown as {
        zstdDecompressSync?: (part: Buffer, options: object) => Buffer
      }
      return unzstd && ((part, maxOutputLength) => unzstd(part, { maxOutputLength }))
    }
    default:
      return undefined
  }
}
