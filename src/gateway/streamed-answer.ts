import type { AnswerMeter } from "./answer-meter.ts"
import type { ClientResponse } from "./client-response.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import type { AnswerFilter } from "./response-plan.ts"
import type { StreamCost } from "./stream-cost.ts"

/** A longer piece is passed on by itself, because copying it costs more than a write of its own. */
const MAX_SHORT_BYTES = 4 * 1024
/** Joined pieces of this size are passed on before the tick ends, so that they take little memory. */
const MAX_JOINED_BYTES = 16 * 1024
/** After so many pieces in one tick the provider pauses for a turn of the event loop, because each costs time of its own. */
const MAX_JOINED_PIECES = 1000

/** The reasons for which the provider has to wait. */
const METER = 1
const CLIENT = 2
/** The next turn of the event loop. */
const TURN = 4

/** The parts of an answer that its bytes pass. */
interface Parts {
  readonly request: ProxiedRequest
  readonly client: ClientResponse
  readonly meter: AnswerMeter
  readonly filter: AnswerFilter | undefined
  /** Set if the cost follows the last byte of the answer. */
  readonly cost: StreamCost | undefined
  /** Continues the provider's answer after a pause. */
  readonly resume: () => void
}

/**
 * Passes on an answer while it arrives: to the meter, through the filter, to the capture and the client. Pieces that arrive
 * in one tick are joined: a provider sent them in one segment, each as an HTTP chunk of its own, and reading and writing each
 * alone costs several times what its bytes cost. No piece waits for that, because node sends what is written in a tick at the
 * end of the tick too.
 */
export class StreamedAnswer {
  private readonly parts: Parts
  private first: Buffer | undefined
  private more: Buffer[] | undefined
  private bytes = 0
  /** The pieces that have come since other work had its turn. */
  private pieces = 0
  private isScheduled = false
  /** The sum of the reasons for which the provider waits: `METER`, `CLIENT` and `TURN`. At 0 it goes on. */
  private waitsFor = 0

  /** The head is sent at the end of this tick: together with the first pieces if they arrive in it, else alone. */
  constructor(parts: Parts) {
    this.parts = parts
    this.schedule()
  }

  /** Returns false if the provider must pause. */
  push(piece: Buffer): boolean {
    // undici passes on no bytes when it goes on after a pause.
    if (piece.length === 0) return this.waitsFor === 0
    if (++this.pieces > MAX_JOINED_PIECES) this.waitForTurn()
    if (this.first === undefined) {
      if (piece.length > MAX_SHORT_BYTES) return this.pass(piece)
      this.first = piece
      this.schedule()
    } else if (this.more === undefined) this.more = [this.first, piece]
    else this.more.push(piece)
    this.bytes += piece.length
    if (this.bytes > MAX_JOINED_BYTES) this.flush()
    return this.waitsFor === 0
  }

  /** Passes on what has arrived, without waiting for the end of the tick. */
  flush(): void {
    const { first, more, bytes } = this
    if (first === undefined) return
    this.first = undefined
    this.more = undefined
    this.bytes = 0
    this.pass(more === undefined ? first : Buffer.concat(more, bytes))
  }

  /** Passes on bytes that the meter, the filter and the capture have had before. Returns false if the provider must pause. */
  write(bytes: Buffer): boolean {
    this.parts.cost?.onPiece(bytes)
    if (!this.parts.client.write(bytes, this.onDrained)) this.waitsFor |= CLIENT
    return this.waitsFor === 0
  }

  /** Ends the answer with these bytes, and with its cost if that follows. */
  end(rest: Buffer | undefined): void {
    const { client, cost, request } = this.parts
    if (!request.response.destroyed) client.end(cost ? cost.finish(rest) : rest)
  }

  endTick(): void {
    this.isScheduled = false
    this.pieces = 0
    if (this.first === undefined) this.parts.client.flushHead()
    else this.flush()
  }

  private waitForTurn(): void {
    this.pieces = 0
    if ((this.waitsFor & TURN) === 0) setImmediate(this.onTurn)
    this.waitsFor |= TURN
  }

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    process.nextTick(endTick, this)
  }

  private pass(bytes: Buffer): boolean {
    const { request, meter, filter } = this.parts
    if (!meter.push(bytes, this.onMetered)) this.waitsFor |= METER
    const visible = filter ? (filter.push(bytes) as Buffer) : bytes
    request.capture?.push(visible)
    request.reservation?.onPiece(bytes.length, meter)
    return this.write(visible)
  }

  private readonly onMetered = (): void => this.goOn(METER)
  private readonly onDrained = (): void => this.goOn(CLIENT)
  private readonly onTurn = (): void => this.goOn(TURN)

  private goOn(reason: number): void {
    const before = this.waitsFor
    this.waitsFor &= ~reason
    if (before !== 0 && this.waitsFor === 0) this.parts.resume()
  }
}

function endTick(answer: StreamedAnswer): void {
  answer.endTick()
}
