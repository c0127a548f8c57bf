import type { Socket } from "node:net"
import { HttpError } from "./errors.ts"
import type { Exchange } from "./exchange.ts"
import type { SizedBody } from "./request-head.ts"
import type { ResponseHead } from "./response-head.ts"
import { ResponseReader, type ResponseSink } from "./response-reader.ts"

/** The bounds on waiting, in ms. They are checked from time to time, so that they end somewhat later. */
export interface Waits {
  /** From the end of the request to the head of its response. */
  readonly headMs: number
  /** Between two pieces of a body. */
  readonly bodyMs: number
  /** How long a connection without a request is kept. A server may ask for less. */
  readonly idleMs: number
}

/** The pool of a connection. */
export interface ConnectionOwner {
  readonly waits: Waits
  /** The connection can take another request. */
  onIdle(connection: Connection): void
  /** The connection has closed, or belongs to another protocol. */
  onGone(connection: Connection): void
}

/** A short body is sent as text with the head: one write, which costs less than two joined ones. */
const MAX_TEXT_BYTES = 16 * 1024
/** After so many chunks in one piece, the connection waits for a turn of the event loop, because each costs time of its own. */
const MAX_CHUNKS = 1000
/** A server may close an idle connection a little earlier than it said. */
const KEEP_ALIVE_MARGIN_MS = 1000

/** One connection to a server. It has one request at a time, and never sends one twice. */
export class Connection implements ResponseSink {
  private readonly socket: Socket
  private readonly owner: ConnectionOwner
  private readonly reader = new ResponseReader(this)
  private exchange: Exchange | undefined
  private hasHead = false
  /** The request has been written completely. */
  private isSent = true
  private isPaused = false
  private error: Error | undefined
  /** Set while the rest of a request waits until its beginning has left, or until the connection has closed. */
  private onWritable: (() => void) | undefined
  /** How long nothing has happened, in ms. */
  private quietMs = 0
  private idleMs: number

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.socket = socket
    this.owner = owner
    this.idleMs = owner.waits.idleMs
    socket.on("data", this.onData)
    socket.on("drain", this.onDrain)
    socket.on("error", this.onSocketError)
    socket.on("end", this.onServerEnd)
    socket.on("close", this.onClose)
  }

  get isUsable(): boolean {
    return !this.socket.destroyed && this.socket.writable && !this.socket.readableEnded
  }

  send(exchange: Exchange): void {
    const { handler, request, head } = exchange
    this.exchange = exchange
    this.hasHead = false
    this.quietMs = 0
    handler.onConnect((reason) => this.abort(exchange, reason))
    // The handler may have aborted.
    if (this.exchange !== exchange) return
    this.reader.begin(request.method === "HEAD")
    const { body } = request
    if (body === undefined) this.socket.write(head, "latin1")
    else if (!Buffer.isBuffer(body)) void this.sendPieces(exchange, body)
    else if (body.length <= MAX_TEXT_BYTES) this.socket.write(head + body.toString("latin1"), "latin1")
    else {
      this.socket.cork()
      this.socket.write(head, "latin1")
      this.socket.write(body)
      this.socket.uncork()
    }
  }

  /** Must be called from time to time, so that nothing waits for ever. @param ms since the last call */
  onTime(ms: number): void {
    if (this.isPaused) return
    this.quietMs += ms
    const { headMs, bodyMs } = this.owner.waits
    const limit = this.exchange === undefined ? this.idleMs : this.hasHead ? bodyMs : headMs
    // The first of the turns may have been short.
    if (this.quietMs - ms < limit) return
    if (this.exchange === undefined) this.socket.destroy()
    else if (this.hasHead) this.fail(new HttpError("body_timeout", "the response stopped"))
    else this.fail(new HttpError("head_timeout", "no response in time"))
  }

  /** Ends the connection and the request on it. */
  destroy(error: Error): void {
    if (this.exchange === undefined) this.socket.destroy()
    else this.fail(error)
  }

  onHead(head: ResponseHead): void {
    const exchange = this.exchange!
    this.hasHead = true
    const { idleMs } = this.owner.waits
    const { keepAliveSeconds: seconds } = head
    this.idleMs = seconds === undefined ? idleMs : Math.min(idleMs, seconds * 1000 - KEEP_ALIVE_MARGIN_MS)
    exchange.handler.onHeaders(head.status, head.headers, () => this.resume(exchange), head.statusText)
  }

  onBody(bytes: Buffer): void {
    if (this.exchange?.handler.onData(bytes) === false && this.exchange !== undefined) {
      this.isPaused = true
      this.socket.pause()
    }
  }

  onEnd(isReusable: boolean): void {
    const exchange = this.takeExchange()!
    // The rest of a request that is still being sent must not come before another one.
    if (isReusable && this.isSent && exchange.request.upgrade === undefined && this.idleMs > 0) this.owner.onIdle(this)
    else this.socket.destroy()
    exchange.complete()
  }

  onSwitch(head: ResponseHead, rest: Buffer): void {
    const { exchange, socket } = this
    if (exchange?.request.upgrade === undefined || exchange.handler.onUpgrade === undefined) {
      this.fail(new HttpError("invalid_response", "the server switched to a protocol that nobody asked for"))
      return
    }
    this.takeExchange()
    socket.off("data", this.onData).off("drain", this.onDrain).off("end", this.onServerEnd).off("close", this.onClose)
    socket.pause()
    this.owner.onGone(this)
    if (rest.length > 0) socket.unshift(rest)
    exchange.isEnded = true
    exchange.handler.onUpgrade(head.status, head.headers, socket)
    socket.off("error", this.onSocketError)
  }

  private async sendPieces(exchange: Exchange, { length, pieces }: SizedBody): Promise<void> {
    const { socket } = this
    this.isSent = false
    socket.write(exchange.head, "latin1")
    let sent = 0
    try {
      for await (const piece of pieces) {
        if (this.exchange !== exchange) return
        sent += piece.length
        if (sent > length) break
        if (!socket.write(piece)) await this.waitUntilWritable()
      }
      if (this.exchange !== exchange) return
      if (sent !== length) throw new Error("the body has another length than stated")
      this.isSent = true
      this.quietMs = 0
    } catch (error) {
      this.abort(exchange, error as Error)
    }
  }

  private waitUntilWritable(): Promise<void> {
    return new Promise((resolve) => {
      this.onWritable = resolve
    })
  }

  private readonly onData = (bytes: Buffer): void => {
    this.quietMs = 0
    // Nothing was asked: another request could take these bytes for its response.
    if (this.exchange === undefined) return void this.socket.destroy()
    try {
      this.reader.push(bytes)
    } catch (error) {
      this.fail(error as Error)
      return
    }
    if (this.reader.chunks > MAX_CHUNKS && !this.isPaused && this.exchange !== undefined)
      this.waitForTurn(this.exchange)
  }

  private readonly onDrain = (): void => {
    this.quietMs = 0
    this.onWritable?.()
  }

  private readonly onSocketError = (error: Error): void => {
    this.error ??= error
  }

  private readonly onServerEnd = (): void => {
    if (this.exchange === undefined || !this.reader.finish()) this.socket.destroy()
  }

  private readonly onClose = (): void => {
    this.onWritable?.()
    this.owner.onGone(this)
    this.takeExchange()?.fail(this.error ?? new HttpError("closed", "the server closed the connection"))
  }

  private waitForTurn(exchange: Exchange): void {
    this.isPaused = true
    this.socket.pause()
    setImmediate(() => this.resume(exchange))
  }

  /** A late call concerns another request than the present one. */
  private resume(exchange: Exchange): void {
    if (this.exchange !== exchange || !this.isPaused) return
    this.isPaused = false
    this.quietMs = 0
    this.socket.resume()
  }

  private abort(exchange: Exchange, reason: Error): void {
    if (this.exchange === exchange) this.fail(reason)
  }

  /** Ends the exchange with an error. The rest of its response cannot be told from the next one. */
  private fail(error: Error): void {
    const exchange = this.takeExchange()
    this.socket.destroy()
    exchange?.fail(error)
  }

  private takeExchange(): Exchange | undefined {
    const { exchange } = this
    this.exchange = undefined
    this.reader.stop()
    this.quietMs = 0
    if (this.isPaused) {
      this.isPaused = false
      this.socket.resume()
    }
    return exchange
  }
}
