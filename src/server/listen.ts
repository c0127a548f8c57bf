import { createServer as createHttpServer, type Server } from "node:http"
import { type AddressInfo, createServer, Server as TcpServer } from "node:net"
import { listen } from "listhen"
import type { Settings } from "../config/settings.ts"
import { CommandError } from "../core/errors.ts"
import { onChunkedRequest, watchReads } from "../kit/costly-reads.ts"
import { type ConnectionCounter, endAfterRunning } from "./connections.ts"
import { type Handler, inOrder } from "./in-order.ts"
import { closeSlowReaders } from "./slow-readers.ts"
import { serveUpgrades } from "./upgrades.ts"

/** Metadata may take 32 × 1 KiB, so Node's limit of 16 KiB for all headers would reject valid requests. */
const MAX_HEADER_BYTES = 64 * 1024
const KEEP_ALIVE_TIMEOUT_MS = 75_000
/** How often Node checks for connections whose request headers are late. */
const CHECK_HEADERS_EVERY_MS = 1000

export interface Listener {
  readonly host: string
  readonly port: number
  /** Stops accepting connections. Resolves when the last connection has ended. */
  close(): Promise<void>
  /** Closes all connections at once. */
  closeConnections(): void
}

/**
 * Listens on exactly the requested port. The handler gets the requests of one connection one after the other. Throws
 * `CommandError` with the reason when listening is not possible.
 */
export async function startListening(
  handle: Handler,
  options: {
    readonly host: string
    readonly port: number
    /** The part of the settings that names the address: `server` or `admin`. */
    readonly section?: string
    readonly readTimeoutMs: number
    /** How long a client may stop reading what it was sent. */
    readonly writeTimeoutMs: number
    /** Counts and limits the connections; undefined: there is no limit. */
    readonly connections?: ConnectionCounter
    /** True when the cluster's primary process has bound the port for all workers. */
    readonly isWorker?: boolean
  },
): Promise<Listener> {
  const { host, port } = options
  const handler = watchChunked(inOrder(handle))
  const server = await (options.isWorker ? listenAsWorker : listenAlone)(handler, host, port).catch(
    (error: unknown) => {
      throw toCommandError(error, host, port, options.section)
    },
  )
  tune(server, handler, options.readTimeoutMs)
  serveUpgrades(server, handler)
  closeSlowReaders(server, options.writeTimeoutMs)
  options.connections?.watch(server)
  watchReads(server)
  const address = server.address() as AddressInfo
  return {
    host: address.family === "IPv6" ? `[${address.address}]` : address.address,
    port: address.port,
    close: () => stopAccepting(server),
    closeConnections: () => server.closeAllConnections(),
  }
}

function watchChunked(handle: Handler): Handler {
  return (request, response) => {
    if (request.headers["transfer-encoding"] !== undefined) onChunkedRequest(request.socket)
    handle(request, response)
  }
}

/**
 * Stops accepting connections. Node's own `close` of an HTTP server also closes idle connections, and with them
 * requests that are already on their way. The `close` of its parent class only stops accepting.
 */
async function stopAccepting(server: Server): Promise<void> {
  await new Promise<void>((resolve) => void TcpServer.prototype.close.call(server, () => resolve()))
  server.close(() => {}) // This stops the timer that checks the connections.
}

/** Listens without listhen, which would find the port taken because another worker has it. */
async function listenAsWorker(handler: Handler, host: string, port: number): Promise<Server> {
  const server = createHttpServer(handler)
  await new Promise<void>((resolve, reject) => void server.once("error", reject).listen(port, host, resolve))
  return server
}

async function listenAlone(handler: Handler, host: string, port: number): Promise<Server> {
  const listener = await listen(handler, {
    hostname: host,
    port:
      port === 0
        ? { random: true }
        : { port, ports: [port], portRange: [port, port], alternativePortRange: [port, port] },
    // By default, listhen would end the process on a signal, use another port when this one is taken, print a banner,
    // and listen only on this machine.
    autoClose: false,
    isProd: true,
    public: !isLocal(host),
    showURL: false,
    qr: false,
    open: false,
    clipboard: false,
    tunnel: false,
  })
  return listener.server as Server
}

/**
 * Throws `CommandError` when the port is in use, before anything else is opened. Another program can still take the
 * port before the server binds it. Returns the port; for 0, one that is free now.
 */
async function checkPort(host: string, port: number, section?: string): Promise<number> {
  const trial = createServer()
  await new Promise<void>((resolve, reject) => trial.once("error", reject).listen(port, host, resolve)).catch(
    (error: unknown) => {
      throw toCommandError(error, host, port, section)
    },
  )
  const { port: found } = trial.address() as AddressInfo
  await new Promise((resolve) => trial.close(resolve))
  return found
}

/** Does the same for all ports of the settings. */
export async function checkPorts({ server, admin }: Settings): Promise<number> {
  if (admin.enabled && admin.port !== undefined) await checkPort(admin.host ?? server.host, admin.port, "admin")
  return checkPort(server.host, server.port)
}

/** Listhen warns about any other host unless `public` is set. */
function isLocal(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.")
}

function tune(server: Server, handler: Handler, readTimeoutMs: number): void {
  Object.assign(server, {
    maxHeaderSize: MAX_HEADER_BYTES,
    // This limit covers the request headers. For the body, the gateway limits the time without progress itself, with an
    // error in the dialect.
    headersTimeout: readTimeoutMs,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // 0 means no limit on the number of headers. Otherwise Node would drop headers silently; their bytes are bounded.
    maxHeadersCount: 0,
    connectionsCheckingInterval: Math.min(CHECK_HEADERS_EVERY_MS, readTimeoutMs),
  })
  // Node reads the check interval when the server starts to listen, and listhen has already done that with the default
  // of 30 s. The event makes Node read it again.
  server.emit("listening")
  // The gateway sends 100 Continue only after it has checked the key.
  server.on("checkContinue", handler)
  // Node would answer any other expectation with 417, and keep a connection on which the body may follow or not.
  server.on("checkExpectation", handler)
  server.on("connection", (socket) => socket.setNoDelay(true))
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy()
    endAfterRunning(socket, `HTTP/1.1 ${toStatusLine(error.code)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  })
  server.on("connect", (_request, socket) => {
    // Node has removed its error listener from this socket. Without one, a connection reset would end the process.
    socket.on("error", () => socket.destroy())
    endAfterRunning(socket, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
  })
}

function toStatusLine(code: string | undefined): string {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return "431 Request Header Fields Too Large"
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return "408 Request Timeout"
    default:
      return "400 Bad Request"
  }
}

function toCommandError(error: unknown, host: string, port: number, section = "server"): unknown {
  const { code, name, message } = error as NodeJS.ErrnoException
  const other = (each: number) => (section === "server" ? `serve --port ${each}` : `${section}.port`)
  if (code === "EADDRINUSE" || name === "GetPortError" || /available port/.test(message)) {
    return new CommandError(
      `Port ${port} on ${host} is in use. Stop the program that uses it, or choose another port: ${other(port + 1)}`,
    )
  }
  if (code === "EACCES") {
    return new CommandError(
      `You may not listen on port ${port} without more privileges. Choose a port above 1023: ${other(7680)}`,
    )
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return new CommandError(
      `${section}.host: this machine has no address ${host}. Use 127.0.0.1, or 0.0.0.0 for all addresses.`,
    )
  }
  return error
}
