import type { EventStreamCodec } from "@smithy/eventstream-codec"
import type { AwsEvent, Collector } from "./_evidence.ts"
import { bytesOf } from "./_values.ts"

/** Decodes one message of an AWS event stream and checks its checksums. It is loaded with the first request that needs it. */
let codec: EventStreamCodec | undefined

/** Loads the decoder of AWS event streams. Returns undefined when it is loaded. */
export function loadAwsEvents(): Promise<void> | undefined {
  if (codec !== undefined) return undefined
  return import("@smithy/eventstream-codec").then(({ EventStreamCodec }) => {
    codec ??= new EventStreamCodec(
      (bytes) => (typeof bytes === "string" ? bytes : bytesOf(bytes).toString("utf8")),
      (text) => Buffer.from(text),
    )
  })
}

/** A message begins with its length in bytes, of 4 bytes. The shortest has no headers and no payload. */
const LENGTH_BYTES = 4
const MIN_MESSAGE_BYTES = 16
/** A longer message is skipped. The longest that was recorded has 9 KB. */
const MAX_READ_BYTES = 1024 * 1024
/** No message of AWS is longer, so that a longer one is damaged. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024

/** Splits an AWS event stream, which may be cut anywhere, into messages. At most one message is held. */
export class AwsEventReader {
  private readonly collector: Pick<Collector, "addAwsEvent">
  /** The first `heldBytes` bytes are the beginning of an unfinished message. */
  private held: Buffer = Buffer.alloc(0)
  private heldBytes = 0
  /** The number of bytes that are left of a message that is skipped. */
  private skippedBytes = 0
  private isDamaged = false

  constructor(collector: Pick<Collector, "addAwsEvent">) {
    this.collector = collector
  }

  push(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length && !this.isDamaged) {
      if (this.skippedBytes > 0) at = this.skip(bytes, at)
      else if (this.heldBytes > 0 || bytes.length - at < LENGTH_BYTES) at = this.continueMessage(bytes, at)
      else at = this.beginMessage(bytes, at)
    }
  }

  end(): void {
    if (this.heldBytes > 0 || this.skippedBytes > 0) this.collector.addAwsEvent?.("unfinished")
  }

  private skip(bytes: Buffer, at: number): number {
    const skipped = Math.min(this.skippedBytes, bytes.length - at)
    this.skippedBytes -= skipped
    return at + skipped
  }

  /** Reads a message in place if all of it is there. Returns the index behind it, or the number of all bytes. */
  private beginMessage(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32BE(at)
    if (!this.isReadable(length, 0)) return at
    if (at + length > bytes.length) return this.continueMessage(bytes, at)
    this.read(bytes.subarray(at, at + length))
    return at + length
  }

  /** Adds to the message that is held, and reads it when it is whole. */
  private continueMessage(bytes: Buffer, at: number): number {
    const isLengthKnown = this.heldBytes >= LENGTH_BYTES
    const wanted = isLengthKnown ? this.held.readUInt32BE(0) : LENGTH_BYTES
    const end = Math.min(bytes.length, at + wanted - this.heldBytes)
    this.hold(bytes, at, end, wanted)
    if (this.heldBytes < wanted) return end
    const message = this.held.subarray(0, wanted)
    if (!isLengthKnown) {
      if (!this.isReadable(message.readUInt32BE(0), LENGTH_BYTES)) this.heldBytes = 0
      return end
    }
    this.heldBytes = 0
    this.read(message)
    return end
  }

  /**
   * Returns whether a message of this length can be read. Otherwise it is skipped, or damaged.
   * @param taken the number of its bytes that were taken already
   */
  private isReadable(length: number, taken: number): boolean {
    if (length >= MIN_MESSAGE_BYTES && length <= MAX_READ_BYTES) return true
    if (length > MAX_READ_BYTES && length <= MAX_MESSAGE_BYTES) this.skippedBytes = length - taken
    else this.stop()
    return false
  }

  /** Copies bytes, which the caller may reuse. The buffer grows by doubling, so that pieces of one byte stay cheap. */
  private hold(bytes: Buffer, from: number, to: number, wanted: number): void {
    const needed = this.heldBytes + to - from
    if (needed > this.held.length) {
      const larger = Buffer.allocUnsafe(Math.min(Math.max(1024, 2 * needed), Math.max(1024, wanted)))
      this.held.copy(larger, 0, 0, this.heldBytes)
      this.held = larger
    }
    bytes.copy(this.held, this.heldBytes, from, to)
    this.heldBytes = needed
  }

  private read(message: Buffer): void {
    const event = decode(message)
    if (event) this.collector.addAwsEvent?.(event)
    else this.stop()
  }

  private stop(): void {
    this.isDamaged = true
    this.collector.addAwsEvent?.("damaged")
  }
}

/** Returns undefined for a message that is damaged, and while the decoder is not loaded. */
function decode(message: Buffer): AwsEvent | undefined {
  try {
    const decoded = codec?.decode(message)
    if (!decoded) return undefined
    const { headers, body } = decoded
    const text = (name: string) => String(headers[name]?.value ?? "")
    const type = text(":event-type") || text(":exception-type") || text(":error-code")
    switch (text(":message-type")) {
      case "event":
        return { type, isException: false, payload: bytesOf(body) }
      case "error":
        return { type, isException: true, payload: Buffer.from(JSON.stringify({ message: text(":error-message") })) }
      default:
        return { type, isException: true, payload: bytesOf(body) }
    }
  } catch {
    return undefined
  }
}
