import type { IncomingMessage, Server } from "node:http"
import type { Socket } from "node:net"
import { asksForWebSocket, openHandshake } from "../kit/websocket/handshake.ts"
import { endAfterRunning, isAnswering } from "./connections.ts"
import type { Handler } from "./in-order.ts"

/** The answer to an upgrade that a client sent before it had the answer to its request before. */
const PIPELINED = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

/**
 * Handles requests with the header Upgrade. One for a WebSocket is handled like any other request, with a response of its
 * own. Any other upgrade, such as `h2c`, is ignored, as HTTP allows: the request is served as if it had not asked for it.
 */
export function serveUpgrades(server: Server, handle: Handler): void {
  // Node 24.9 and newer serve such a request themselves if this says so. From Node 26 on they have to: the body is then a part
  // of the request, and no longer what follows it on the connection.
  if ("shouldUpgradeCallback" in server)
    server.shouldUpgradeCallback = ({ headers }: IncomingMessage) => asksForWebSocket(headers)
  server.on("upgrade", (request: IncomingMessage, stream, head: Buffer) => {
    const socket = stream as Socket
    // Node has removed its error listener from this socket. Without one, a connection reset would end the process.
    socket.on("error", ignore)
    if (isAnswering(socket)) return rejectPipelined(socket)
    if (!asksForWebSocket(request.headers)) return serveWithout(server, request, socket, head)
    socket.setTimeout(0)
    handle(request, openHandshake(request, socket, head))
  })
}

function rejectPipelined(socket: Socket): void {
  // Only a connection that is read shows that its client has left. What else it sends is dropped.
  socket.once("end", () => socket.destroy()).resume()
  endAfterRunning(socket, PIPELINED)
}

/** Gives the connection back to node, which reads the same request again, now without its header Upgrade. */
function serveWithout(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() !== "upgrade") text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  }
  socket.off("error", ignore)
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, "latin1"), head]))
  // Node's own listener is the first. The others have counted this connection already.
  const [read] = server.listeners("connection")
  read!.call(server, socket)
}

function ignore(): void {}
