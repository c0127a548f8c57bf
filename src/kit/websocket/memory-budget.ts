import { Inflations } from "./inflations.ts"

/** The part of a budget that large messages cannot use, so that a few slow ones do not take everything from all others. */
const KEPT_FOR_SMALL = 1 / 4
const LARGE_BYTES = 256 * 1024
/** The large messages that are inflated at a time. */
const MAX_INFLATIONS = 2

/** A limit on the memory that many connections hold together. */
export class MemoryBudget {
  readonly inflations = new Inflations(MAX_INFLATIONS)
  private readonly maxBytes: number
  private used = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /**
   * Takes memory for a message, which `give` must give back. Returns false if there is not enough.
   * @param total what the message has then taken in all
   */
  take(bytes: number, total: number): boolean {
    const limit = total > LARGE_BYTES ? this.maxBytes * (1 - KEPT_FOR_SMALL) : this.maxBytes
    if (this.used + bytes > limit) return false
    this.used += bytes
    return true
  }

  give(bytes: number): void {
    this.used -= bytes
  }
}
