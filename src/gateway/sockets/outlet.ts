import type { Socket } from "node:net"
import { StallWatch } from "../../kit/stall-watch.ts"

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
  private stall: StallWatch | undefined

  constructor(socket: Socket, options: OutletOptions) {
    this.socket = socket
    this.options = options
    socket.on("drain", () => this.onDrain())
  }

  write(bytes: Buffer): void {
    const { socket, options } = this
    if (!socket.writable || socket.write(bytes) || this.isFull) return
    this.isFull = true
    options.onFull()
    this.stall ??= new StallWatch(() => socket, options.writeTimeoutMs, options.onStalled)
    this.stall.start()
  }

  /** Collects what is written from now on, and `uncork` sends it together. */
  cork(): void {
    this.socket.cork()
  }

  uncork(): void {
    this.socket.uncork()
  }

  close(): void {
    this.stall?.stop()
  }

  private onDrain(): void {
    this.isFull = false
    this.stall?.stop()
    this.options.onDrain()
  }
}
