import type { Socket } from "node:net"

/** Notices that the other end of a connection stops reading what was written to it. */
export class StallWatch {
  private readonly socketOf: () => Socket | null
  private readonly timeoutMs: number
  private readonly onStalled: () => void
  private timer: NodeJS.Timeout | undefined

  /** @param timeoutMs how long no byte may leave, in milliseconds */
  constructor(socketOf: () => Socket | null, timeoutMs: number, onStalled: () => void) {
    this.socketOf = socketOf
    this.timeoutMs = timeoutMs
    this.onStalled = onStalled
  }

  start(): void {
    this.stop()
    const waiting = queuedBytes(this.socketOf())
    this.timer = setTimeout(() => {
      // A large piece is one write, so that a slow end that reads has no `drain` for long.
      if (queuedBytes(this.socketOf()) === waiting) this.onStalled()
      else this.start()
    }, this.timeoutMs)
  }

  stop(): void {
    clearTimeout(this.timer)
  }
}

/** The bytes that wait in the process, and those that the system has not accepted yet. Node has no public property for these. */
function queuedBytes(socket: Socket | null): number | undefined {
  if (socket === null) return undefined
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null }
  return socket.writableLength + (handle?.writeQueueSize ?? 0)
}
