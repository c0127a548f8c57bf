import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { type AddressInfo, createServer, Server as TcpServer } from "node:net"
import type { Duplex } from "node:stream"
import { listen } from "listhen"
import { CommandError } from "../core/errors.ts"

/** Metadata is legal up to 32 × 1 KiB, so node's 16 KiB for all headers would refuse honest requests. */
const MAX_HEADER_BYTES = 64 * 1024
const KEEP_ALIVE_TIMEOUT_MS = 75_000
/** A head that does not come is noticed at most so much later than its time. */
const CHECK_HEADS_EVERY_MS = 1000

export interface Listener {
  readonly host: string
  readonly port: number
  /** Stops accepting; resolves when the last connection has ended, which `cutAll` hastens. */
  close(): Promise<void>
  cutAll(): void
}

/** Binds the port that was asked for, or says in one line why not: never another one. */
export async function startListening(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  options: {
    readonly host: string
    readonly port: number
    readonly readTimeoutMs: number
    /** The port is bound by the cluster's primary, for all workers. */
    readonly isWorker?: boolean
  },
): Promise<Listener> {
  const { host, port } = options
  const server = await (options.isWorker ? listenAsWorker : listenAlone)(handler, host, port).catch(
    (error: unknown) => {
      throw toCommandError(error, host, port)
    },
  )
  tune(server, handler, options.readTimeoutMs)
  const address = server.address() as AddressInfo
  return {
    host: address.family === "IPv6" ? `[${address.address}]` : address.address,
    port: address.port,
    close: () => closeDoor(server),
    cutAll: () => server.closeAllConnections(),
  }
}

/**
 * Node's own close of an HTTP server cuts idle connections at once, and with them requests that are already on the wire;
 * that of its parent only stops accepting.
 */
async function closeDoor(server: Server): Promise<void> {
  await new Promise<void>((resolve) => void TcpServer.prototype.close.call(server, () => resolve()))
  server.close(() => {}) // for the timer that it holds
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Without listhen's trial of the port: a port that a sibling has bound is free for us. */
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
    // As listhen's defaults stand, it would end the process on a signal, take another port when this one is
    // taken, print a banner, and refuse to listen beyond this machine.
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
 * Refuses a port that is taken before anything else is opened; binding it later is still the last word. Gives the
 * port: for 0, one that is free now.
 */
export async function checkPort(host: string, port: number): Promise<number> {
  const trial = createServer()
  await new Promise<void>((resolve, reject) => trial.once("error", reject).listen(port, host, resolve)).catch(
    (error: unknown) => {
      throw toCommandError(error, host, port)
    },
  )
  const { port: found } = trial.address() as AddressInfo
  await new Promise((resolve) => trial.close(resolve))
  return found
}

/** As listhen sees it: anything else must be called public, or it warns. */
function isLocal(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.")
}

function tune(
  server: Server,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  readTimeoutMs: number,
): void {
  Object.assign(server, {
    maxHeaderSize: MAX_HEADER_BYTES,
    // The gateway's own clock covers the body (it answers in the caller's dialect); this one covers the head.
    headersTimeout: readTimeoutMs,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // 0: all headers are read (their bytes are bounded), none is dropped in silence.
    maxHeadersCount: 0,
    connectionsCheckingInterval: Math.min(CHECK_HEADS_EVERY_MS, readTimeoutMs),
  })
  // Node looks for late heads every 30 s, unless told when the server is made, which listhen does for us; it takes a new
  // interval whenever the server listens.
  server.emit("listening")
  // The body is asked for only when the key is known.
  server.on("checkContinue", handler)
  server.on("connection", (socket) => socket.setNoDelay(true))
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy()
    endAfterRunning(
      socket as Speaking,
      `HTTP/1.1 ${toStatusLine(error.code)}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    )
  })
  server.on("connect", (_request, socket) => {
    // Node has taken its own listener off this socket: without one, a client that resets it would end the process.
    socket.on("error", () => socket.destroy())
    socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
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

/** Node's own note of the answer that runs on a connection; there is no public one. */
type Speaking = Duplex & { readonly _httpMessage?: ServerResponse | null }

/**
 * What cannot be read is refused after the requests in front of it have been answered; one that has not come whole, the
 * broken one itself, is cut.
 */
function endAfterRunning(socket: Speaking, refusal: string): void {
  const running = socket._httpMessage
  const isBroken = running && !running.req.complete
  if (!running || (isBroken && !running.headersSent)) return void socket.end(refusal)
  if (isBroken) return void socket.destroy()
  running.once("close", () => setImmediate(() => socket.writable && endAfterRunning(socket, refusal)))
}

function toCommandError(error: unknown, host: string, port: number): unknown {
  const { code, name, message } = error as NodeJS.ErrnoException
  if (code === "EADDRINUSE" || name === "GetPortError" || /available port/.test(message)) {
    return new CommandError(
      `Port ${port} on ${host} is taken. Stop what uses it, or choose another: serve --port ${port + 1}`,
    )
  }
  if (code === "EACCES") {
    return new CommandError(`Port ${port} needs rights that this user lacks. Choose one above 1023: serve --port 7680`)
  }
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return new CommandError(`server.host: this machine has no address ${host}. Use 127.0.0.1, or 0.0.0.0 for all.`)
  }
  return error
}
