import type { Writable } from "node:stream"
import * as ws from "ws"
import { BINARY, LENGTH_OF_16_BITS, LENGTH_OF_64_BITS } from "./protocol.ts"

/** The parser of the package, which its types leave out. */
const { Receiver } = ws as unknown as { readonly Receiver: new (options: object) => Writable }

/** The content of one message. */
export interface Payload {
  /** Still compressed if its frames said so. */
  readonly data: Buffer
  readonly isBinary: boolean
}

interface MessageReaderOptions {
  readonly isFromClient: boolean
  readonly maxBytes: number
}

/** The bits of a frame's first two bytes (RFC 6455, section 5.2). */
const FINAL = 0x80
const COMPRESSED = 0x40
const OPCODE = 0x0f
const MASKED = 0x80
const LENGTH = 0x7f

/**
 * Reads messages from their frames: unmasks them and joins fragments. Nearly all messages are one frame, whose content is
 * all that follows its header: the parser of `ws` would take several times as long for it, and kilobytes per connection.
 */
export class MessageReader {
  private readonly options: MessageReaderOptions
  private fragments: FragmentReader | undefined

  constructor(options: MessageReaderOptions) {
    this.options = options
  }

  /**
   * Returns the message of these frames; undefined: they are not valid.
   * @param frames all frames of one message, without control frames. Their headers are those that the side may send. They
   * are not changed
   */
  read(frames: Buffer): Payload | undefined {
    const first = frames[0]!
    if ((first & FINAL) !== 0) return { data: contentOf(frames), isBinary: (first & OPCODE) === BINARY }
    this.fragments ??= new FragmentReader(this.options)
    const payload = this.fragments.read(frames)
    if (payload === undefined) this.fragments = undefined
    return payload
  }
}

/** Returns the content of a message in one frame. It is a part of the frame, unless it was masked. */
function contentOf(frame: Buffer): Buffer {
  const second = frame[1]!
  const length = second & LENGTH
  const at = length === LENGTH_OF_64_BITS ? 10 : length === LENGTH_OF_16_BITS ? 4 : 2
  return (second & MASKED) === 0 ? frame.subarray(at) : unmask(frame, at)
}

/** Returns a copy, because the frame may be on its way to the other end. */
function unmask(frame: Buffer, maskAt: number): Buffer {
  const from = maskAt + 4
  const content = Buffer.allocUnsafe(frame.length - from)
  for (let i = 0; i < content.length; i++) content[i] = frame[from + i]! ^ frame[maskAt + (i & 3)]!
  return content
}

/** Reads messages in several frames with the parser of `ws`. */
class FragmentReader {
  private readonly receiver: Writable
  private payload: Payload | undefined

  constructor({ isFromClient, maxBytes }: MessageReaderOptions) {
    // Whether a text is valid UTF-8 is the business of the end that gets it.
    this.receiver = new Receiver({ isServer: isFromClient, maxPayload: maxBytes, skipUTF8Validation: true })
    this.receiver.on("error", ignore).on("message", (data: Buffer, isBinary: boolean) => {
      this.payload = { data, isBinary }
    })
  }

  read(frames: Buffer): Payload | undefined {
    // The parser unmasks in place. The frames may be on their way to the other end.
    const own = Buffer.from(frames)
    // Without the bit, the parser leaves inflating to us.
    own[0] = own[0]! & ~COMPRESSED
    this.receiver.write(own)
    const { payload } = this
    this.payload = undefined
    return payload
  }
}

function ignore(): void {}
