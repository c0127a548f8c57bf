import type { Server, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"

/** How long a rejected connection stays open for the client to read the reason. */
const REASON_MS = 1000
/** The most rejected connections that stay open so long. Further ones are closed at once. */
const MAX_REJECTED = 256
const REASON = "The gateway has too many open connections. Try again shortly, or reuse connections.\n"
const REJECTION =
  "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\n" +
  `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${REASON.length}\r\n\r\n${REASON}`

/** The most connections that clients may have open, in all and from one address. */
interface ConnectionLimits {
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
}

/** The connections of one listener. */
export interface ConnectionStats {
  readonly open: number
  /** How many were rejected because of `server.max_connections`, since the start. */
  readonly rejectedInAll: number
  /** The same because of `server.max_connections_per_address`. */
  readonly rejectedPerAddress: number
}

export interface ConnectionCounter {
  /** Counts the connections of a server, and rejects those above the limits with 503. */
  watch(server: Server): void
  stats(): ConnectionStats
}

export function createConnectionCounter(limits: ConnectionLimits): ConnectionCounter {
  const perAddress = new Map<string, number>()
  let open = 0
  let rejecting = 0
  let rejectedInAll = 0
  let rejectedPerAddress = 0

  function accept(socket: Socket): void {
    const address = socket.remoteAddress ?? ""
    const ofAddress = perAddress.get(address) ?? 0
    if (open >= limits.maxConnections) rejectedInAll++
    else if (ofAddress >= limits.maxConnectionsPerAddress) rejectedPerAddress++
    else return void count(socket, address, ofAddress)
    reject(socket)
  }

  function count(socket: Socket, address: string, ofAddress: number): void {
    open++
    perAddress.set(address, ofAddress + 1)
    socket.once("close", () => {
      open--
      const left = perAddress.get(address)! - 1
      if (left === 0) perAddress.delete(address)
      else perAddress.set(address, left)
    })
  }

  /** Nothing that the client sends on this connection is handled, because its writable side has ended (in-order.ts). */
  function reject(socket: Socket): void {
    if (rejecting >= MAX_REJECTED) return void socket.destroy()
    rejecting++
    socket.once("close", () => rejecting--)
    endAndClose(socket, REJECTION)
  }

  return {
    watch: (server) => void server.on("connection", accept),
    stats: () => ({ open, rejectedInAll, rejectedPerAddress }),
  }
}

/** Sends the last bytes of a connection, and closes it when the client does, or after a second. */
function endAndClose(socket: Duplex, bytes: string): void {
  socket.end(bytes)
  const timer = setTimeout(() => socket.destroy(), REASON_MS)
  socket.once("close", () => clearTimeout(timer))
}

/** A socket with the response that is running on it. Node has no public property for that. */
type HttpSocket = Duplex & { readonly _httpMessage?: ServerResponse | null }

/**
 * Rejects a malformed request after the requests before it have been answered. When the malformed request itself is
 * already being answered, the connection is closed.
 */
export function endAfterRunning(socket: HttpSocket, response: string): void {
  const running = socket._httpMessage
  const isBroken = running && !running.req.complete
  if (!running || (isBroken && !running.headersSent)) return void endAndClose(socket, response)
  if (isBroken) return void socket.destroy()
  running.once("close", () => setImmediate(() => socket.writable && endAfterRunning(socket, response)))
}

/** Returns true while a response to an earlier request is running on a connection. */
export function isAnswering(socket: HttpSocket): boolean {
  return !!socket._httpMessage
}
