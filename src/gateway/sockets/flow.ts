import type { Socket } from "node:net"
import { FrameScanner } from "../../kit/websocket/frame-scanner.ts"
import type { MemoryBudget } from "../../kit/websocket/memory-budget.ts"
import { CLOSE } from "../../kit/websocket/protocol.ts"
import type { Deliveries, Tap } from "./deliveries.ts"
import { Gatherer } from "./gatherer.ts"
import { Outlet } from "./outlet.ts"
import type { Side, Verdict } from "./watcher.ts"

/** After so many frames, other connections have their turn before the next one: a chunk can contain 30,000 empty ones. */
const MAX_FRAMES_PER_TURN = 256

/** Why a connection is not read. */
const PAUSES = { full: 1, held: 2, behind: 4, turn: 8 } as const

/** The tunnel, as its two flows see it. */
export interface FlowOwner {
  /** Whether the messages of a side wait for a verdict. */
  isGatedFor(side: Side): boolean
  onBytes(): void
  onCloseFrame(side: Side, code: number | undefined): void
  /** A held message cannot be passed on: `unread`, or `dropped` although the provider needs it to inflate later ones. */
  onBlocked(why: "unread" | "dropped"): void
  onStalled(): void
}

interface FlowOptions {
  readonly tap: Tap
  readonly from: Socket
  readonly to: Socket
  readonly budget: MemoryBudget
  readonly deliveries: Deliveries
  readonly owner: FlowOwner
  readonly writeTimeoutMs: number
}

/**
 * One direction of a tunnel. Bytes are written as they come, before anything reads them. Only while messages are held, or
 * something is to be sent between two of them, they are written frame by frame.
 */
export class Flow {
  private readonly tap: Tap
  private readonly from: Socket
  private readonly outlet: Outlet
  private readonly deliveries: Deliveries
  private readonly owner: FlowOwner
  private readonly scanner = new FrameScanner()
  private readonly gatherer: Gatherer
  /** The beginning of a frame whose header is not complete. */
  private head: Buffer | undefined
  private isHeadRead = true
  /** The bytes of the current frame are written as they come. */
  private isPassing = true
  /** The current message is held until it is whole and judged. */
  private isHeld = false
  /** A held message waits for its verdict. */
  private isJudged = false
  /** Bytes that came after a message that waits, and whether they are written already. */
  private rest: { readonly bytes: Buffer; readonly isWritten: boolean } | undefined
  private readonly insertions: Buffer[] = []
  private isDiscarding = false
  private pauses = 0

  constructor({ tap, from, to, budget, deliveries, owner, writeTimeoutMs }: FlowOptions) {
    this.tap = tap
    this.from = from
    this.deliveries = deliveries
    this.owner = owner
    this.gatherer = new Gatherer(tap, budget)
    this.outlet = new Outlet(to, {
      writeTimeoutMs,
      onFull: () => this.pause(PAUSES.full),
      onDrain: () => this.resume(PAUSES.full),
      onStalled: () => owner.onStalled(),
    })
  }

  /** Whether a message of the gateway's own can be sent now. */
  get isBetweenMessages(): boolean {
    return this.scanner.isBetweenMessages && this.rest?.isWritten !== true
  }

  /** Whether everything that was to be inserted is written. */
  get isInserted(): boolean {
    return this.insertions.length === 0
  }

  take(chunk: Buffer): void {
    this.owner.onBytes()
    if (this.isDiscarding) return void this.discardBytes(chunk)
    const isWritten = this.isFree()
    if (isWritten) this.outlet.write(chunk)
    this.walk(chunk, isWritten)
  }

  /** Sends a frame of the gateway's own, between two messages. */
  insert(frame: Buffer): void {
    this.insertions.push(frame)
    if (this.isBetweenMessages) this.writeInsertions()
  }

  /** Passes nothing on from now on, but goes on to look for a close frame. */
  discard(): void {
    this.isDiscarding = true
    this.gatherer.giveUp()
    this.rest = undefined
    this.resume(PAUSES.held | PAUSES.behind | PAUSES.turn)
  }

  onCaughtUp(): void {
    this.resume(PAUSES.behind)
  }

  close(): void {
    this.gatherer.giveUp()
    this.outlet.close()
    this.rest = undefined
  }

  /** Whether bytes can be written before they are read. */
  private isFree(): boolean {
    const { scanner } = this
    if (this.isHeld || this.insertions.length > 0 || this.owner.isGatedFor(this.tap.side)) return false
    return scanner.isBetweenFrames || this.isPassing
  }

  /** Reads bytes frame by frame, and writes those that have not been written. */
  private walk(chunk: Buffer, isWritten: boolean): void {
    const { scanner, outlet } = this
    if (!isWritten) outlet.cork()
    let at = 0
    for (let frames = 0; at < chunk.length; frames++) {
      if (this.isJudged || frames === MAX_FRAMES_PER_TURN) {
        this.rest = { bytes: chunk.subarray(at), isWritten }
        break
      }
      const from = at
      if (scanner.isBetweenFrames) this.beginFrame(isWritten)
      at = scanner.scan(chunk, from)
      this.takePiece(from === 0 && at === chunk.length ? chunk : chunk.subarray(from, at), isWritten)
    }
    if (this.insertions.length > 0 && this.isBetweenMessages) this.writeInsertions()
    if (!isWritten) outlet.uncork()
    if (this.deliveries.isBehind) this.pause(PAUSES.behind)
    if (this.rest !== undefined && !this.isJudged) this.waitForTurn()
  }

  private beginFrame(isWritten: boolean): void {
    if (this.insertions.length > 0 && !isWritten && !this.scanner.isInMessage) this.writeInsertions()
    this.isHeadRead = false
    this.head = undefined
    this.isPassing = isWritten
  }

  private takePiece(piece: Buffer, isWritten: boolean): void {
    const { scanner, gatherer } = this
    if (this.isPassing && !isWritten) this.outlet.write(piece)
    if (!scanner.hasHeader) {
      this.head = this.head === undefined ? Buffer.from(piece) : Buffer.concat([this.head, piece])
      return
    }
    const { head } = this
    if (!this.isHeadRead) this.readHead(piece)
    this.head = undefined
    if (scanner.isControl) {
      if (scanner.isBetweenFrames && scanner.opcode === CLOSE) this.owner.onCloseFrame(this.tap.side, scanner.closeCode)
      return
    }
    if (head !== undefined) gatherer.keep(head)
    if (!scanner.isInMessage) this.endMessage(piece)
    else gatherer.keep(piece)
  }

  /** The header of a frame is complete: what happens to the frame is decided. */
  private readHead(piece: Buffer): void {
    const { scanner, gatherer } = this
    this.isHeadRead = true
    if (!scanner.isControl) {
      if (gatherer.isEmpty) this.isHeld = !this.isPassing && this.owner.isGatedFor(this.tap.side)
      gatherer.beginFrame(scanner)
    }
    if (this.isPassing || (this.isHeld && !scanner.isControl)) return
    this.isPassing = true
    if (this.head !== undefined) this.outlet.write(this.head)
    this.outlet.write(piece)
  }

  private endMessage(last: Buffer): void {
    const { gatherer, isHeld, tap } = this
    const { isCompressed, bytes, reserved } = gatherer
    const frames = gatherer.finish(last)
    gatherer.reset()
    this.isHeld = false
    this.isJudged = isHeld
    const settle = isHeld ? (verdict: Verdict | "unread") => this.onVerdict(verdict, isCompressed, frames) : undefined
    this.deliveries.add({ tap, frames, isCompressed, bytes, reserved, settle })
    if (this.isJudged) this.pause(PAUSES.held)
  }

  private onVerdict(verdict: Verdict | "unread", isCompressed: boolean, frames: Buffer | undefined): void {
    this.isJudged = false
    if (this.isDiscarding) return
    const { inflater } = this.tap
    if (verdict === "pass") this.outlet.write(frames!)
    else if (verdict === "unread") this.owner.onBlocked("unread")
    else if (isCompressed && (inflater === undefined || inflater.keepsContext)) this.owner.onBlocked("dropped")
    if (this.pauses & PAUSES.held) this.proceed(PAUSES.held)
  }

  private waitForTurn(): void {
    this.pause(PAUSES.turn)
    setImmediate(() => this.proceed(PAUSES.turn))
  }

  /** Reads what has waited, then the connection again. */
  private proceed(reason: number): void {
    const { rest } = this
    this.rest = undefined
    if (rest !== undefined) this.walk(rest.bytes, rest.isWritten)
    if (this.rest === undefined && !this.isJudged) this.resume(reason | PAUSES.turn | PAUSES.held)
  }

  private writeInsertions(): void {
    for (const frame of this.insertions.splice(0)) this.outlet.write(frame)
  }

  private discardBytes(chunk: Buffer): void {
    const { scanner } = this
    for (let at = 0; at < chunk.length; ) at = scanner.scan(chunk, at)
    if (scanner.closeCode !== undefined) this.owner.onCloseFrame(this.tap.side, scanner.closeCode)
  }

  private pause(reason: number): void {
    this.pauses |= reason
    this.from.pause()
  }

  private resume(reason: number): void {
    if (this.pauses === 0) return
    this.pauses &= ~reason
    if (this.pauses === 0) this.from.resume()
  }
}
