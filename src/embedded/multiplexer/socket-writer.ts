import type { Socket } from "node:net"

/** A client that reads nothing for this long, while the backend waits for it, is disconnected. */
const STALL_LIMIT_MS = 10_000
/** A client with more unread output than this is disconnected. Notifications do not wait for their readers. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024

/**
 * Returns a function that writes to a client with backpressure. Its promise resolves when the client can take more;
 * undefined means at once.
 */
export function createSocketWriter(socket: Socket): (bytes: Buffer) => Promise<void> | undefined {
  let draining: Promise<void> | undefined
  return (bytes) => {
    if (socket.destroyed) return undefined
    if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy()
    else if (!socket.write(bytes)) {
      draining ??= waitUntilDrained(socket).finally(() => {
        draining = undefined
      })
    }
    return draining
  }
}

function waitUntilDrained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.destroy(), STALL_LIMIT_MS)
    const finish = () => {
      clearTimeout(timer)
      socket.off("drain", finish).off("close", finish)
      resolve()
    }
    socket.once("drain", finish).once("close", finish)
  })
}
