import { CLOSE, LENGTH_OF_16_BITS, LENGTH_OF_64_BITS, NO_STATUS } from "./protocol.ts"

/** The number of bytes before the extended length and the mask. */
const SHORTEST_HEADER = 2
/** Opcodes from here on are those of control frames. */
const FIRST_CONTROL = 8

/**
 * Finds the frames of a WebSocket in the bytes of one direction, however they are cut (RFC 6455, section 5.2). It reads
 * headers only, checks nothing and allocates nothing: whoever the frames are for decides whether they are valid.
 */
export class FrameScanner {
  /** The first byte of a frame has not come yet. */
  isBetweenFrames = true
  /** The header of the current frame is complete, so that the fields below are those of the frame. */
  hasHeader = false
  opcode = 0
  isFinal = false
  /** The bit RSV1, which marks a compressed message in its first frame. */
  isCompressed = false
  isMasked = false
  /** The bits RSV2 or RSV3, which no extension that the gateway knows uses. */
  hasReservedBits = false
  /** The length of the payload. Above 2^53 it is not exact, and such a frame never ends. */
  length = 0
  /** A message has begun whose last frame is not complete. */
  isInMessage = false
  /** The code of the last close frame; undefined: there was none. */
  closeCode: number | undefined
  private left = 0
  private read = 0
  private needed = SHORTEST_HEADER
  private lengthBytes = 0
  private mask = 0

  /** Whether something else may be sent here as a message. */
  get isBetweenMessages(): boolean {
    return this.isBetweenFrames && !this.isInMessage
  }

  get isControl(): boolean {
    return this.opcode >= FIRST_CONTROL
  }

  /** Reads on until the end of the frame or of the bytes. Returns the position after what was read. */
  scan(bytes: Buffer, from: number): number {
    let at = from
    if (this.isBetweenFrames) this.begin()
    while (!this.hasHeader) {
      if (at === bytes.length) return at
      this.readHeader(bytes[at++]!)
    }
    const taken = Math.min(this.left, bytes.length - at)
    if (this.opcode === CLOSE && taken > 0) this.readClose(bytes, at, taken)
    this.left -= taken
    if (this.left === 0) this.end()
    return at + taken
  }

  private begin(): void {
    this.isBetweenFrames = false
    this.hasHeader = false
    this.read = 0
    this.needed = SHORTEST_HEADER
    this.length = 0
    this.mask = 0
  }

  private readHeader(byte: number): void {
    const position = this.read++
    if (position === 0) {
      this.isFinal = (byte & 0x80) !== 0
      this.isCompressed = (byte & 0x40) !== 0
      this.hasReservedBits = (byte & 0x30) !== 0
      this.opcode = byte & 0x0f
    } else if (position === 1) {
      this.isMasked = (byte & 0x80) !== 0
      this.length = byte & 0x7f
      this.lengthBytes = this.length === LENGTH_OF_64_BITS ? 8 : this.length === LENGTH_OF_16_BITS ? 2 : 0
      if (this.lengthBytes > 0) this.length = 0
      this.needed = SHORTEST_HEADER + this.lengthBytes + (this.isMasked ? 4 : 0)
    } else if (position < SHORTEST_HEADER + this.lengthBytes) this.length = this.length * 256 + byte
    else this.mask = (this.mask << 8) | byte
    if (this.read === this.needed) this.endHeader()
  }

  private endHeader(): void {
    this.hasHeader = true
    this.left = this.length
    if (this.isControl) {
      if (this.opcode === CLOSE) this.closeCode ??= NO_STATUS
    } else this.isInMessage = true
  }

  private readClose(bytes: Buffer, at: number, taken: number): void {
    const before = this.length - this.left
    for (let i = before; i < 2 && i - before < taken; i++) {
      const byte = bytes[at + i - before]! ^ ((this.mask >>> (24 - 8 * i)) & 0xff)
      this.closeCode = i === 0 ? byte : (this.closeCode ?? 0) * 256 + byte
    }
  }

  private end(): void {
    this.isBetweenFrames = true
    if (this.isFinal && !this.isControl) this.isInMessage = false
  }
}
