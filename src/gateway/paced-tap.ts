import { Pieces } from "../kit/pieces.ts"
import type { Tap } from "./decode.ts"

/** An answer up to this size is metered as it comes: even the worst one takes less than 10 ms. */
const DIRECT_BYTES = 16 * 1024
/** After so many pieces the provider pauses for one turn of the event loop, because each costs time of its own. */
const DIRECT_PIECES = 1000
/** The most that is metered without a look at the clock. */
const PORTION_BYTES = 4 * 1024
/** The most time that the meter takes before other requests have their turn. */
const TURN_MS = 5
/** While more than this waits for the meter, the provider has to wait too. */
const MAX_WAITING_BYTES = 256 * 1024

/**
 * Gives the bytes of one answer to the meter in portions, with other work in between, so that no answer can block the
 * event loop, however costly its bytes are. The bytes for the client do not wait for the meter.
 */
export class PacedTap {
  private readonly tap: Tap
  /** The bytes since the meter last had nothing to do. */
  private directBytes = 0
  private directPieces = 0
  private readonly waiting = new Pieces()
  /** The pieces that are being metered, from `at` on. */
  private pieces: Buffer[] = []
  private at = 0
  private waitingBytes = 0
  private isScheduled = false
  private onDone: (() => void) | undefined
  private resume: (() => void) | undefined

  constructor(tap: Tap) {
    this.tap = tap
  }

  /** Returns false if so much waits for the meter that the provider has to pause until `resume` is called. */
  push(bytes: Buffer, resume: () => void): boolean {
    this.directPieces++
    if (
      this.waitingBytes === 0 &&
      this.directPieces <= DIRECT_PIECES &&
      this.directBytes + bytes.length <= DIRECT_BYTES
    ) {
      this.directBytes += bytes.length
      this.tap.push(bytes)
      return true
    }
    this.waiting.push(bytes)
    this.waitingBytes += bytes.length
    this.schedule()
    if (this.waitingBytes <= MAX_WAITING_BYTES && this.directPieces <= DIRECT_PIECES) return true
    this.resume = resume
    return false
  }

  /** Calls `done` when the meter has received everything: at once, if nothing waits. */
  end(done: () => void): void {
    if (this.waitingBytes === 0) this.tap.end(done)
    else this.onDone = done
  }

  /** Gives everything that waits to the meter now. */
  meterNow(): void {
    while (this.waitingBytes > 0) this.tap.push(this.nextPortion())
  }

  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(() => this.work())
  }

  private work(): void {
    this.isScheduled = false
    const until = performance.now() + TURN_MS
    while (this.waitingBytes > 0) {
      if (performance.now() > until) return void this.schedule()
      this.tap.push(this.nextPortion())
    }
    this.directBytes = 0
    this.directPieces = 0
    const { resume, onDone } = this
    this.resume = undefined
    this.onDone = undefined
    resume?.()
    if (onDone) this.tap.end(onDone)
  }

  private nextPortion(): Buffer {
    if (this.at === this.pieces.length) {
      this.pieces = this.waiting.take()
      this.at = 0
    }
    const piece = this.pieces[this.at]!
    const portion = piece.length > PORTION_BYTES ? piece.subarray(0, PORTION_BYTES) : piece
    if (portion === piece) this.at++
    else this.pieces[this.at] = piece.subarray(PORTION_BYTES)
    this.waitingBytes -= portion.length
    return portion
  }
}
