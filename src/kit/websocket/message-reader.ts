import type { Writable } from "node:stream"
import * as ws from "ws"

/** The parser of the package, which its types leave out. */
const { Receiver } = ws as unknown as { readonly Receiver: new (options: object) => Writable }

/** The content of one message. */
interface Payload {
  /** Still compressed if its frames said so. */
  readonly data: Buffer
  readonly isBinary: boolean
}

/** The bit RSV1 of a frame's first byte. */
const COMPRESSED = 0x40

const FINAL = 0x80
const MASKED = 0x80
const BINARY = 0x02

/** Reads messages from their frames, with the parser of `ws`: unmasks them and joins fragments. */
export class MessageReader {
  private readonly options: object
  private receiver: Writable | undefined
  private payload: Payload | undefined

  constructor({ isFromClient, maxBytes }: { readonly isFromClient: boolean; readonly maxBytes: number }) {
    // Whether a text is valid UTF-8 is the business of the end that gets it.
    this.options = { isServer: isFromClient, maxPayload: maxBytes, skipUTF8Validation: true }
  }

  /**
   * Returns the message of these frames; undefined: they are not valid.
   * @param frames all frames of one message, each whole, without control frames. They are not changed
   */
  read(frames: Buffer): Payload | undefined {
    // One frame of a provider, as nearly all messages are: what follows its header is the message.
    if (frames[0]! >= FINAL && frames[1]! < MASKED) return readOnlyFrame(frames)
    // The parser unmasks in place. The frames may be on their way to the other end.
    const isMasked = (frames[1]! & 0x80) !== 0
    const isCompressed = (frames[0]! & COMPRESSED) !== 0
    const own = isMasked || isCompressed ? Buffer.from(frames) : frames
    // Without the bit, the parser leaves inflating to us.
    if (isCompressed) own[0] = own[0]! & ~COMPRESSED
    this.receiver ??= this.createReceiver()
    this.receiver.write(own)
    const { payload } = this
    this.payload = undefined
    if (payload === undefined) this.receiver = undefined
    return payload
  }

  private createReceiver(): Writable {
    const receiver = new Receiver(this.options)
    receiver.on("message", (data: Buffer, isBinary: boolean) => {
      this.payload = { data, isBinary }
    })
    return receiver.on("error", ignore)
  }
}

/** The parser would return the same bytes, for ten times the CPU. */
function readOnlyFrame(frame: Buffer): Payload {
  const length = frame[1]!
  const start = length < 126 ? 2 : length === 126 ? 4 : 10
  return { data: frame.subarray(start), isBinary: (frame[0]! & 0x0f) === BINARY }
}

function ignore(): void {}
