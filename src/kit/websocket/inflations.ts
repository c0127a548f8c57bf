/**
 * Lets a few large messages of all connections be inflated at a time, in the order in which they came. Each can take
 * megabytes, and a thread that files and the resolution of names need too.
 */
export class Inflations {
  private readonly maxRunning: number
  private readonly waiting: (() => void)[] = []
  private running = 0

  constructor(maxRunning: number) {
    this.maxRunning = maxRunning
  }

  /** Whether the next one has to wait. */
  get isBusy(): boolean {
    return this.running >= this.maxRunning
  }

  /** Runs `inflate` when it is its turn. @param inflate never rejects */
  async run<T>(inflate: () => Promise<T>): Promise<T> {
    if (this.isBusy) await new Promise<void>((resolve) => this.waiting.push(resolve))
    else this.running++
    const result = await inflate()
    // The next one takes over the place.
    const next = this.waiting.shift()
    if (next === undefined) this.running--
    else next()
    return result
  }
}
