import * as zlib from "node:zlib"

/** To have the first bytes of something, so many times more are decoded at most. */
const SLACK = 16
const MAX_SLACK_BYTES = 8 << 20
/** No honest text shrinks to less than a thousandth. */
const MAX_RATIO = 1000
const SMALL_BYTES = 1 << 20

export interface Decoded {
  readonly bytes: Buffer
  readonly isTruncated: boolean
}

/**
 * The first `maxBytes` of what was compressed; `bytes` may end early. Costs no more than decoding 16 times `maxBytes`,
 * whatever was sent. undefined: an unknown coding, or not of that coding.
 */
export function decodeBody(bytes: Buffer, coding: string | undefined, maxBytes: number): Decoded | undefined {
  const name = coding?.trim().toLowerCase() ?? ""
  if (name === "" || name === "identity" || bytes.length === 0) {
    return { bytes: bytes.subarray(0, maxBytes), isTruncated: bytes.length > maxBytes }
  }
  const decode = findDecoder(name, bytes)
  if (decode === undefined) return undefined
  const slack = Math.min(maxBytes * SLACK, MAX_SLACK_BYTES)
  const limit = Math.min(Math.max(maxBytes, slack), Math.max(SMALL_BYTES, bytes.length * MAX_RATIO))
  // So many compressed bytes hold at least as many plain ones.
  let taken = Math.min(bytes.length, maxBytes + 1024)
  for (;;) {
    try {
      const whole = decode(bytes.subarray(0, taken), limit)
      return { bytes: whole.subarray(0, maxBytes), isTruncated: taken < bytes.length || whole.length > maxBytes }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE") return undefined
      if (taken < SLACK) return { bytes: bytes.subarray(0, 0), isTruncated: true }
      taken = Math.floor(taken / SLACK)
    }
  }
}

type Decode = (bytes: Buffer, maxOutputLength: number) => Buffer

function findDecoder(coding: string, bytes: Buffer): Decode | undefined {
  // Z_SYNC_FLUSH: what was cut gives what there is of it instead of an error.
  const finishFlush = zlib.constants.Z_SYNC_FLUSH
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return (part, maxOutputLength) => zlib.gunzipSync(part, { finishFlush, maxOutputLength })
    case "deflate": {
      // Sent both with its zlib header, whose low nibble is 8, and, wrongly, without.
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
