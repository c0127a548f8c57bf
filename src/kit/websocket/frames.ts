import { randomBytes } from "node:crypto"
import { CLOSE, LENGTH_OF_16_BITS, LENGTH_OF_64_BITS, TEXT } from "./protocol.ts"

const FINAL = 0x80
const MASKED = 0x80
/** A control frame has at most 125 bytes, two of which are the code. */
const MAX_REASON_BYTES = 123

/** Returns a text message as a server sends it, in one frame. */
export function toTextFrame(text: string): Buffer {
  return toFrame(TEXT, Buffer.from(text))
}

/**
 * Returns a close frame.
 * @param reason its first 123 bytes are sent
 * @param isFromClient whether it is masked, as all frames of a client are
 */
export function toCloseFrame(code: number, reason: string, isFromClient: boolean): Buffer {
  const text = Buffer.from(reason)
  const payload = Buffer.alloc(2 + Math.min(text.length, MAX_REASON_BYTES))
  payload.writeUInt16BE(code)
  text.copy(payload, 2)
  return toFrame(CLOSE, payload, isFromClient ? randomBytes(4) : undefined)
}

function toFrame(opcode: number, payload: Buffer, mask?: Buffer): Buffer {
  const { length } = payload
  const extended = length < LENGTH_OF_16_BITS ? 0 : length < 65_536 ? 2 : 8
  const head = Buffer.alloc(2 + extended)
  head[0] = FINAL | opcode
  head[1] =
    (extended === 0 ? length : extended === 2 ? LENGTH_OF_16_BITS : LENGTH_OF_64_BITS) |
    (mask === undefined ? 0 : MASKED)
  if (extended === 2) head.writeUInt16BE(length, 2)
  if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2)
  if (mask === undefined) return Buffer.concat([head, payload])
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ mask[i % 4]!)])
}
