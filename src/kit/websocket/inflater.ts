import { constants, inflateRaw, inflateRawSync } from "node:zlib"

/** The bytes that a sender leaves out at the end of each compressed message (RFC 7692, section 7.2.1). */
const TRAILER = Buffer.from([0x00, 0x00, 0xff, 0xff])
/** How far back a compressed message can refer to the messages before it. */
const WINDOW_BYTES = 32 * 1024
/** The window moves to the front of its buffer when that is full. */
const WINDOW_CAPACITY = 48 * 1024
/** A larger message is inflated in another thread. In this one it would take about a millisecond. */
const MAX_SYNC_INPUT = 64 * 1024
const MAX_SYNC_OUTPUT = 256 * 1024
const CHUNK_BYTES = 4 * 1024
/** Each chunk of a message that is inflated in another thread is a way there and back. */
const LARGE_CHUNK_BYTES = 128 * 1024

/**
 * Inflates the messages of one direction (RFC 7692). Each is inflated in one call with the end of those before it as its
 * dictionary: for small messages that takes a fifth of the CPU of a stream, and an idle connection holds no zlib state.
 */
export class Inflater {
  /** Whether messages refer to those before them, so that each has to be read. */
  readonly keepsContext: boolean
  /** A message was not read, so that those after it cannot be either. */
  private isLost = false
  private readonly maxBytes: number
  private window = Buffer.alloc(0)
  private start = 0
  private end = 0

  constructor({ keepsContext, maxBytes }: { readonly keepsContext: boolean; readonly maxBytes: number }) {
    this.keepsContext = keepsContext
    this.maxBytes = maxBytes
  }

  /** Returns a message inflated at once; `"large"`: it needs `inflateLarge`; undefined: it cannot be inflated. */
  inflate(data: Buffer): Buffer | "large" | undefined {
    if (this.isLost) return undefined
    if (data.length > MAX_SYNC_INPUT) return "large"
    try {
      const message = inflateRawSync(Buffer.concat([data, TRAILER]), this.toOptions(MAX_SYNC_OUTPUT, CHUNK_BYTES))
      this.remember(message)
      return message
    } catch (error) {
      if (isTooLarge(error)) return "large"
      this.lose()
      return undefined
    }
  }

  /** Inflates a message of up to `maxBytes` in another thread. No other message may be inflated meanwhile. Never rejects. */
  inflateLarge(data: Buffer): Promise<Buffer | undefined> {
    return new Promise((resolve) =>
      inflateRaw(Buffer.concat([data, TRAILER]), this.toOptions(this.maxBytes, LARGE_CHUNK_BYTES), (error, message) => {
        if (error) this.lose()
        else this.remember(message)
        resolve(error ? undefined : message)
      }),
    )
  }

  /** Must be called when a compressed message was not read. */
  lose(): void {
    if (!this.keepsContext) return
    this.isLost = true
    this.window = Buffer.alloc(0)
    this.start = 0
    this.end = 0
  }

  private toOptions(maxOutputLength: number, chunkSize: number) {
    const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength, chunkSize }
    return this.end === this.start ? options : { ...options, dictionary: this.window.subarray(this.start, this.end) }
  }

  private remember(message: Buffer): void {
    if (!this.keepsContext) return
    const added = message.length > WINDOW_BYTES ? message.subarray(-WINDOW_BYTES) : message
    if (this.end + added.length > this.window.length) this.makeSpace(added.length)
    added.copy(this.window, this.end)
    this.end += added.length
    this.start = Math.max(0, this.end - WINDOW_BYTES)
  }

  private makeSpace(bytes: number): void {
    const kept = this.window.subarray(Math.max(this.start, this.end + bytes - WINDOW_BYTES), this.end)
    const needed = kept.length + bytes
    const grown = Math.min(WINDOW_CAPACITY, Math.max(1024, needed * 2))
    const target = grown > this.window.length ? Buffer.allocUnsafeSlow(grown) : this.window
    kept.copy(target, 0)
    this.window = target
    this.start = 0
    this.end = kept.length
  }
}

function isTooLarge(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE"
}
