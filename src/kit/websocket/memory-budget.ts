import { Inflations } from "./inflations.ts"

/** The part of a budget that large messages cannot use, so that a few slow ones do not take everything from all others. */
const KEPT_FOR_SMALL = 1 / 4
const LARGE_BYTES = 256 * 1024
/** The large messages that are inflated at a time. */
const MAX_INFLATIONS = 2
/** A message that is not complete after so long loses its memory when others need it, in milliseconds. */
const SLOW_MS = 10_000

/** A message that is not complete. */
export interface Holder {
  /** `performance.now()` when it began to hold memory. */
  readonly since: number
  /** Must give its memory back, and call `forget`. */
  giveUp(): void
}

/** A limit on the memory that many connections hold together. */
export class MemoryBudget {
  readonly inflations = new Inflations(MAX_INFLATIONS)
  private readonly maxBytes: number
  private readonly slowMs: number
  private used = 0
  /** The messages that are not complete, oldest first. */
  private readonly incomplete = new Set<Holder>()

  constructor(maxBytes: number, { slowMs = SLOW_MS }: { readonly slowMs?: number } = {}) {
    this.maxBytes = maxBytes
    this.slowMs = slowMs
  }

  /**
   * Takes memory for a message, which `give` must give back. Returns false if there is not enough.
   * @param total what the message has then taken in all
   * @param holder the message, if its memory may be taken away while it is not complete
   */
  take(bytes: number, total: number, holder?: Holder): boolean {
    const limit = total > LARGE_BYTES ? this.maxBytes * (1 - KEPT_FOR_SMALL) : this.maxBytes
    if (this.used + bytes > limit && !this.reclaim(limit - bytes, holder)) return false
    this.used += bytes
    if (holder !== undefined && total === bytes) this.incomplete.add(holder)
    return true
  }

  /** The message is complete, or was given up. */
  forget(holder: Holder): void {
    this.incomplete.delete(holder)
  }

  give(bytes: number): void {
    this.used -= bytes
  }

  /** Gives up the slowest messages until at most so much is used. Without it, a few that never end would keep it all. */
  private reclaim(limit: number, asking: Holder | undefined): boolean {
    const latest = performance.now() - this.slowMs
    for (const holder of this.incomplete) {
      if (this.used <= limit || holder.since > latest) break
      if (holder !== asking) holder.giveUp()
    }
    return this.used <= limit
  }
}
