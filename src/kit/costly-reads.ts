import type { Server } from "node:http"
import type { Socket } from "node:net"

/** When chunked requests have taken this long in one turn, the connections that follow are read in another one. */
const MAX_TURN_MS = 5

/** A piece of a body below this size is small: reading it costs much more CPU than its bytes. */
export const SMALL_PIECE_BYTES = 256
/** After so many small pieces in one turn, the connection of the next one is costly. */
const MAX_SMALL_PIECES = 500

/**
 * Limits what one turn of the event loop spends on connections whose bytes are costly, such as a body in chunks of one
 * byte. Node parses up to 64 KiB of a connection without a break, which are 11,000 such chunks and 20 ms, and would do
 * that for every connection in the same turn.
 *
 * One costly connection is read per turn, in order. When a connection turns out to be costly, those that have not been
 * read in the same turn are read in another one, because they may be as costly.
 */
class ReadTurns {
  private readonly sockets = new Set<Socket>()
  /** The costly connections that wait, in the order in which they are read. */
  private readonly waiting = new Set<Socket>()
  /** Other connections that are read again in another turn. */
  private halted: Socket[] = []
  /** The next turn is for a costly connection, so that new ones cannot delay it without limit. */
  private isCostlyNext = false
  /** When the first chunked request of this turn arrived. */
  private firstAt: number | undefined
  /** The number of small pieces in this turn. */
  private smallPieces = 0
  private isScheduled = false

  add(socket: Socket): void {
    this.sockets.add(socket)
    socket.on("close", () => {
      this.sockets.delete(socket)
      this.waiting.delete(socket)
    })
  }

  onChunkedRequest(): void {
    const now = performance.now()
    this.firstAt ??= now
    if (now - this.firstAt > MAX_TURN_MS) this.haltOthers()
    this.schedule()
  }

  onSmallPiece(socket: Socket): void {
    if (++this.smallPieces > MAX_SMALL_PIECES) this.defer(socket)
    else this.schedule()
  }

  defer(socket: Socket): void {
    if (this.waiting.has(socket)) return
    this.waiting.add(socket)
    socket.pause()
    // Node resumes the connection after each piece of the body.
    socket.resume = ignoreResume
    if (!costly.has(socket)) {
      costly.add(socket)
      this.haltOthers()
    }
    this.schedule()
  }

  private haltOthers(): void {
    for (const socket of this.sockets) {
      if (socket.isPaused()) continue
      socket.pause()
      this.halted.push(socket)
    }
  }

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(() => this.startTurn())
  }

  private startTurn(): void {
    this.isScheduled = false
    this.firstAt = undefined
    this.smallPieces = 0
    if (this.halted.length > 0 && !(this.isCostlyNext && this.waiting.size > 0)) this.resumeHalted()
    else this.resumeCostly()
    if (this.halted.length + this.waiting.size > 0) this.schedule()
  }

  private resumeHalted(): void {
    const { halted } = this
    this.halted = []
    this.isCostlyNext = true
    for (const socket of halted) socket.resume()
  }

  private resumeCostly(): void {
    const [socket] = this.waiting
    this.isCostlyNext = false
    if (socket === undefined) return
    this.waiting.delete(socket)
    // The method of the class is visible again.
    delete (socket as Partial<Socket>).resume
    socket.resume()
  }
}

const turnsOf = new WeakMap<Socket, ReadTurns>()
const costly = new WeakSet<Socket>()

function ignoreResume(this: Socket): Socket {
  return this
}

/** Watches the connections of a server, so that the functions below work for them. */
export function watchReads(server: Server): void {
  const turns = new ReadTurns()
  server.on("connection", (socket) => {
    turnsOf.set(socket, turns)
    turns.add(socket)
  })
}

/** Must be called for each chunked request when its head arrives: only a chunked body can have more pieces than packets. */
export function onChunkedRequest(socket: Socket): void {
  turnsOf.get(socket)?.onChunkedRequest()
}

/** Must be called for each piece of a body that is small. */
export function onSmallPiece(socket: Socket): void {
  turnsOf.get(socket)?.onSmallPiece(socket)
}

/** Stops reading a connection until it is its turn again, because its bytes have been costly. */
export function deferReads(socket: Socket): void {
  turnsOf.get(socket)?.defer(socket)
}
