import type { Socket } from "node:net"
import { type buildConnector, errors } from "undici"
import { Connection, type ConnectionOwner, type Waits } from "./connection.ts"
import { HttpError } from "./errors.ts"
import { Exchange, type ResponseHandler } from "./exchange.ts"
import { type HttpRequest, toRequestHead } from "./request-head.ts"

/** How often connections are checked for timeouts: several times within the shortest one, at most once a second. */
const CHECKS_PER_TIMEOUT = 4
const MAX_CHECK_MS = 1000

/**
 * The connections to one origin. A request takes the connection that was used last, or opens one; the user of the pool bounds
 * how many run at once. Each connection has one request at a time.
 */
export class HttpPool implements ConnectionOwner {
  readonly waits: Waits
  private readonly url: URL
  private readonly connect: buildConnector.connector
  private readonly connections = new Set<Connection>()
  private readonly idle: Connection[] = []
  private readonly checkMs: number
  private opening = 0
  private timer: NodeJS.Timeout | undefined
  private isClosed = false
  private isDestroyed = false
  private closed: Promise<void> | undefined
  private onEmpty: (() => void) | undefined

  constructor(origin: string, options: { readonly connect: buildConnector.connector; readonly waits: Waits }) {
    this.url = new URL(origin)
    this.connect = options.connect
    this.waits = options.waits
    const { headMs, bodyMs, idleMs } = this.waits
    this.checkMs = Math.max(1, Math.min(MAX_CHECK_MS, Math.min(headMs, bodyMs, idleMs) / CHECKS_PER_TIMEOUT))
  }

  /**
   * Sends a request as soon as it has a connection.
   *
   * @throws HttpError `invalid_request`
   */
  dispatch(request: HttpRequest, handler: ResponseHandler): void {
    const exchange = new Exchange(request, toRequestHead(request, this.url.host), handler)
    for (let next = this.idle.pop(); next !== undefined; next = this.idle.pop()) {
      if (next.isUsable) return void next.send(exchange)
    }
    this.open(exchange)
  }

  /** Takes no further request. Resolves when the running ones have ended, however long they take. */
  close(): Promise<void> {
    this.isClosed = true
    for (const connection of this.idle.splice(0)) connection.destroy(poolClosed())
    this.closed ??= new Promise((resolve) => {
      this.onEmpty = resolve
    })
    this.checkEmpty()
    return this.closed
  }

  /** Ends all requests. Resolves when their connections have closed. */
  destroy(): Promise<void> {
    this.isDestroyed = true
    const closed = this.close()
    for (const connection of this.connections) connection.destroy(poolClosed())
    return closed
  }

  onIdle(connection: Connection): void {
    if (this.isClosed) connection.destroy(poolClosed())
    else this.idle.push(connection)
  }

  onGone(connection: Connection): void {
    this.connections.delete(connection)
    const at = this.idle.indexOf(connection)
    if (at >= 0) this.idle.splice(at, 1)
    this.checkEmpty()
  }

  private open(exchange: Exchange): void {
    const { hostname, host, protocol, port } = this.url
    this.opening++
    this.connect(
      { hostname: hostname.replace(/^\[(.*)\]$/, "$1"), host, protocol, port },
      (error: Error | null, socket?: Socket | null) => {
        this.opening--
        if (socket && !this.isDestroyed) this.start(socket, exchange)
        else {
          socket?.destroy()
          exchange.fail(error === null ? poolClosed() : toConnectError(error))
        }
        this.checkEmpty()
      },
    )
  }

  private start(socket: Socket, exchange: Exchange): void {
    const connection = new Connection(socket, this)
    this.connections.add(connection)
    this.timer ??= setInterval(() => this.onTime(), this.checkMs).unref()
    connection.send(exchange)
  }

  private onTime(): void {
    for (const connection of this.connections) connection.onTime(this.checkMs)
  }

  private checkEmpty(): void {
    if (this.connections.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
    if (this.opening === 0) this.onEmpty?.()
  }
}

function toConnectError(error: Error): Error {
  return error instanceof errors.ConnectTimeoutError ? new HttpError("connect_timeout", "no connection in time") : error
}

function poolClosed(): HttpError {
  return new HttpError("pool_closed", "the gateway ends its connections")
}
