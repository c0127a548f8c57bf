const MAX_HOLD_MS = 1000
const CHECK_INTERVAL_MS = 200

/** An answer that is held back until it is whole. */
export interface HeldAnswer {
  /** How long it has been held. */
  heldMs(): number
  /** Passes on what has arrived, and everything that follows as it comes. */
  letGo(): void
}

/**
 * Lets go of answers that are held for a second. One timer serves all of them: most answers are whole in the moment in
 * which they arrive, so a timer for each would cost more than it is worth.
 */
export class HeldAnswers {
  /** In the order in which they began, but for the newest. */
  private readonly answers = new Set<HeldAnswer>()
  /** An answer that is whole before the next one begins never comes into the set. */
  private newest: HeldAnswer | undefined = undefined
  private timer: NodeJS.Timeout | undefined = undefined

  add(answer: HeldAnswer): void {
    if (this.newest !== undefined) this.answers.add(this.newest)
    this.newest = answer
    this.timer ??= setInterval(() => this.check(), CHECK_INTERVAL_MS).unref()
  }

  delete(answer: HeldAnswer): void {
    if (answer === this.newest) this.newest = undefined
    else this.answers.delete(answer)
  }

  private check(): void {
    if (this.newest !== undefined) this.answers.add(this.newest)
    this.newest = undefined
    for (const answer of this.answers) {
      if (answer.heldMs() < MAX_HOLD_MS - CHECK_INTERVAL_MS) return
      this.answers.delete(answer)
      answer.letGo()
    }
    clearInterval(this.timer)
    this.timer = undefined
  }
}
