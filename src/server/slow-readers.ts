import type { Server } from "node:http"
import type { Socket } from "node:net"

/** Stands for a connection on which nothing waits to be sent. */
const NOTHING_WAITS = -1

/**
 * Closes connections whose clients stop reading: those on which bytes wait and none was sent for `timeoutMs`, or up to
 * twice as long. This includes rejected requests and the gateway's own routes, so that no key is needed to be closed.
 */
export function closeSlowReaders(server: Server, timeoutMs: number): void {
  /** The number of bytes that each connection had sent at the last check. */
  const sent = new Map<Socket, number>()
  server.on("connection", (socket) => {
    sent.set(socket, NOTHING_WAITS)
    socket.once("close", () => sent.delete(socket))
  })
  const timer = setInterval(() => {
    for (const [socket, before] of sent) {
      const waiting = socket.writableLength
      const now = waiting === 0 ? NOTHING_WAITS : socket.bytesWritten - waiting
      if (now !== NOTHING_WAITS && now === before) socket.destroy()
      else sent.set(socket, now)
    }
  }, timeoutMs)
  timer.unref()
  server.once("close", () => clearInterval(timer))
}
