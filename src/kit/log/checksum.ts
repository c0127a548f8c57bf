import { crc32 as zlibCrc32 } from "node:zlib"

/*
 * A record carries the CRC-32 of all its bytes before the checksum, as the last member of a JSON object:
 *
 *   {"id":"ID",…,"crc":"1c291ca3"}
 *
 * A record therefore stays one JSON object: jq reads it, and a program without checksums ignores the member. A record
 * without the member was written by an earlier version and is accepted unchecked.
 */

/** Length of the member with its comma: `,"crc":"1c291ca3"`. */
export const CHECKSUM_BYTES = 17

const MARK = Buffer.from(',"crc":"')
const HEX_DIGITS = Buffer.from("0123456789abcdef")
const QUOTE = 0x22
const ZERO = 0x30
const NINE = 0x39
const LETTER_A = 0x61

/** Returns the CRC-32 (as in gzip) of `bytes[start, end)`, an unsigned 32-bit number. */
export function crc32(bytes: Buffer, start = 0, end = bytes.length, previous = 0): number {
  return zlibCrc32(bytes.subarray(start, end), previous)
}

/** Writes the member into `bytes` at `at`; returns the offset after it. */
export function writeChecksum(bytes: Buffer, at: number, checksum: number): number {
  for (let i = 0; i < 8; i++) bytes[at + i] = MARK[i]!
  for (let i = 0; i < 8; i++) bytes[at + 8 + i] = HEX_DIGITS[(checksum >>> (28 - 4 * i)) & 15]!
  bytes[at + 16] = QUOTE
  return at + CHECKSUM_BYTES
}

/** Reads the member at `at`. Returns `undefined` when no such member stands there. */
export function readChecksum(bytes: Buffer, at: number): number | undefined {
  if (at < 0 || bytes[at + 16] !== QUOTE) return undefined
  for (let i = 0; i < 8; i++) if (bytes[at + i] !== MARK[i]) return undefined
  let checksum = 0
  for (let i = 0; i < 8; i++) {
    const byte = bytes[at + 8 + i]!
    const digit = byte <= NINE ? byte - ZERO : byte - LETTER_A + 10
    if (digit < 0 || digit > 15) return undefined
    checksum = checksum * 16 + digit
  }
  return checksum
}
