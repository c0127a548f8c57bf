import { Pieces } from "../../kit/pieces.ts"
import type { FrameScanner } from "../../kit/websocket/frame-scanner.ts"
import type { Holder, MemoryBudget } from "../../kit/websocket/memory-budget.ts"
import { BINARY, TEXT } from "../../kit/websocket/protocol.ts"
import type { Tap } from "./deliveries.ts"
import { MAX_MESSAGE_BYTES } from "./watcher.ts"

/** A message in more frames is not read, because each takes memory beside its bytes. */
const MAX_FRAMES = 16 * 1024
/** A piece this small is copied, so that it does not keep the whole chunk that it came with. */
const SMALL_PIECE_BYTES = 16 * 1024

/** Keeps the frames of one message until it is whole, in bounded memory. */
export class Gatherer implements Holder {
  isCompressed = false
  /** The length of the payload so far. */
  bytes = 0
  /** The bytes of the budget that the message holds. */
  reserved = 0
  since = 0
  private readonly budget: MemoryBudget
  private readonly tap: Tap
  private pieces: Pieces | undefined
  private frames = 0
  private isGivenUp = false

  constructor(tap: Tap, budget: MemoryBudget) {
    this.tap = tap
    this.budget = budget
  }

  get isEmpty(): boolean {
    return this.frames === 0
  }

  /** A frame of the message has begun, and its header is complete. */
  beginFrame(scanner: FrameScanner): void {
    const isFirst = this.frames++ === 0
    if (isFirst) this.isCompressed = scanner.isCompressed
    this.bytes += scanner.length
    if (this.bytes > MAX_MESSAGE_BYTES || this.frames > MAX_FRAMES || !this.isValid(scanner, isFirst)) this.giveUp()
  }

  /** Whether the other end accepts the frame. The parser would say so too, but by an exception that costs much more CPU. */
  private isValid({ isMasked, isCompressed, hasReservedBits, opcode }: FrameScanner, isFirst: boolean): boolean {
    const { side, inflater } = this.tap
    if (isMasked !== (side === "client") || hasReservedBits) return false
    if (!isFirst) return opcode === 0 && !isCompressed
    return (opcode === TEXT || opcode === BINARY) && (!isCompressed || inflater !== undefined)
  }

  /** Keeps a piece of a message that is not complete with it. */
  keep(piece: Buffer): void {
    if (this.isGivenUp) return
    const total = (this.pieces?.length ?? 0) + piece.length
    if (this.reserved === 0) this.since = performance.now()
    if (!this.budget.take(piece.length, total, this)) return void this.giveUp()
    this.reserved += piece.length
    this.pieces ??= new Pieces()
    this.pieces.push(piece.length < SMALL_PIECE_BYTES ? Buffer.from(piece) : piece)
  }

  /** Returns all frames with the last piece; undefined: the message was too large. */
  finish(last: Buffer): Buffer | undefined {
    if (this.isGivenUp) return undefined
    const { pieces } = this
    if (pieces === undefined) return last
    pieces.push(last)
    return pieces.takeBytes()
  }

  /** Forgets the message. What it holds of the budget is given back by whoever has taken it over. */
  reset(): void {
    this.budget.forget(this)
    this.pieces = undefined
    this.frames = 0
    this.bytes = 0
    this.reserved = 0
    this.isGivenUp = false
  }

  giveUp(): void {
    this.budget.forget(this)
    this.isGivenUp = true
    this.pieces = undefined
    this.budget.give(this.reserved)
    this.reserved = 0
  }
}
