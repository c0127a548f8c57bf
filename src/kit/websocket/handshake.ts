import { type IncomingHttpHeaders, type IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** The handshakes that are not answered yet, with what stops the watch over their connections. */
const handshakes = new WeakMap<IncomingMessage, () => void>()

/** Returns true if a request asks for a WebSocket. It gets one only if its connection was handed over (`isHandshake`). */
export function asksForWebSocket({ upgrade }: IncomingHttpHeaders): boolean {
  return upgrade !== undefined && /\bwebsocket\b/i.test(upgrade)
}

/** Returns true if the connection of a request can become a WebSocket. */
export function isHandshake(request: IncomingMessage): boolean {
  return handshakes.has(request)
}

/**
 * Returns a response for a request whose connection node has handed over (the event `upgrade`), so that it can be answered
 * like any other. The connection is closed after such an answer, and when the client leaves before it.
 * @param head the bytes that followed the request
 */
export function openHandshake(request: IncomingMessage, socket: Socket, head: Buffer): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  // Node does these for the requests that it parses itself.
  const end = () => socket.destroySoon()
  response.once("finish", end)
  const drain = () => response.emit("drain")
  socket.on("drain", drain)
  // Only a connection that is read shows that its client has left. What the client sends early waits in its buffer.
  const read = () => {
    if (socket.readableLength === 0) socket.read()
  }
  const leave = () => socket.destroy()
  socket.on("readable", read).once("end", leave)
  handshakes.set(request, () => {
    handshakes.delete(request)
    response.off("finish", end)
    socket.off("drain", drain).off("readable", read).off("end", leave)
  })
  if (head.length > 0) socket.unshift(head)
  return response
}

/** Returns the connection of a handshake, which is no longer watched. Nothing may be written to the response from now on. */
export function takeSocket(request: IncomingMessage): Socket {
  handshakes.get(request)?.()
  return request.socket
}
