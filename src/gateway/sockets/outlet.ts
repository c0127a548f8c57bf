import type { Socket } from "node:net"

interface OutletOptions {
  /** How long the side may stop reading what it was sent, in milliseconds. */
  readonly writeTimeoutMs: number
  onFull(): void
  onDrain(): void
  onStalled(): void
}

/** Writes to one side of a tunnel, with backpressure, and notices a side that stops reading. */
export class Outlet {
  private readonly socket: Socket
  private readonly options: OutletOptions
  private isFull = false
  private timer: NodeJS.Timeout | undefined

  constructor(socket: Socket, options: OutletOptions) {
    this.socket = socket
    this.options = options
    socket.on("drain", () => this.onDrain())
  }

  write(bytes: Buffer): void {
    const { socket } = this
    if (!socket.writable || socket.write(bytes) || this.isFull) return
    this.isFull = true
    this.options.onFull()
    this.watchStall()
  }

  /** What is written until `uncork` is sent together. */
  cork(): void {
    this.socket.cork()
  }

  uncork(): void {
    this.socket.uncork()
  }

  close(): void {
    clearTimeout(this.timer)
  }

  private onDrain(): void {
    this.isFull = false
    clearTimeout(this.timer)
    this.options.onDrain()
  }

  private watchStall(): void {
    const waiting = queuedBytes(this.socket)
    this.timer = setTimeout(() => {
      // A large piece is one write, so that a slow side that reads has no `drain` for long.
      if (queuedBytes(this.socket) === waiting) this.options.onStalled()
      else this.watchStall()
    }, this.options.writeTimeoutMs)
  }
}

/** The bytes that wait in the process, and those that the system has not accepted yet. Node has no public property for these. */
function queuedBytes(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null }
  return socket.writableLength + (handle?.writeQueueSize ?? 0)
}
