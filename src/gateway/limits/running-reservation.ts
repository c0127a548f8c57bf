import type { Estimate, Reservation } from "../../core/limit-reservation.ts"
import { toUnits } from "../../core/limit-units.ts"
import type { LogRecord } from "../../core/log-record.ts"
import { LIMIT_REMAINING } from "./remaining.ts"

/** A stream extends its reservation each time this many bytes have passed. */
const EXTEND_BYTES = 16 * 1024

/** Estimates what an answer has used when it has generated this many output tokens. */
interface StreamEstimator {
  soFar(outputTokens: number): Estimate
}

/**
 * What a running request has reserved in the limits that apply to it. It ends exactly once: with its row, or without one. A
 * bug in the limits is reported and affects neither the answer nor the row.
 */
export class RunningReservation {
  private readonly reservation: Reservation
  private readonly estimator: StreamEstimator
  private readonly onError: (error: unknown) => void
  /** The bytes of the stream since its reservation was last extended. */
  private passedBytes = 0
  private hasEnded = false

  constructor(reservation: Reservation, estimator: StreamEstimator, onError: (error: unknown) => void) {
    this.reservation = reservation
    this.estimator = estimator
    this.onError = onError
  }

  /** Adds the header of an answer that states what the tightest limit has left. */
  addRemaining(headers: string[]): void {
    try {
      const left = this.reservation.remaining()
      if (left !== undefined) headers.push(LIMIT_REMAINING, left)
    } catch (error) {
      this.onError(error)
    }
  }

  /**
   * Must be called with each piece of a stream.
   * @param generated returns the output tokens so far, as far as the meter has read
   */
  onPiece(bytes: number, generated: { readonly generatedTokens: number }): void {
    this.passedBytes += bytes
    if (this.passedBytes < EXTEND_BYTES || this.hasEnded) return
    this.passedBytes = 0
    try {
      this.reservation.extend(this.estimator.soFar(generated.generatedTokens))
    } catch (error) {
      this.onError(error)
    }
  }

  /** The row was given to the ledger. Its usage replaces what was reserved. */
  settle(row: LogRecord): void {
    if (this.hasEnded) return
    this.hasEnded = true
    try {
      this.reservation.settle(toUsage(row))
    } catch (error) {
      this.onError(error)
    }
  }

  /** There is no row. */
  release(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    try {
      this.reservation.release()
    } catch (error) {
      this.onError(error)
    }
  }
}

/** Returns what limits count of a row: as the database counts it, which is all input, all output, and the billed cost. */
function toUsage({ model, input_tokens, output_tokens, total_cost, billing }: LogRecord) {
  const isBilled = billing === undefined
  const cost = total_cost === undefined ? undefined : toUnits(total_cost, "cost", "up")
  return { model, inputTokens: input_tokens, outputTokens: output_tokens, cost: isBilled ? cost : 0 }
}
