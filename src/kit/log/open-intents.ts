/** An intent without its row, and the segment that holds it. */
interface OpenIntent {
  readonly line: string
  readonly segment: number
}

/** The ids of settled intents that the counters have room for. */
const MAX_SETTLED = 32

/**
 * The intents of a journal whose rows have not been appended yet. When a segment is deleted, the open intents in it are
 * appended again, so that they outlive it.
 */
export class OpenIntents {
  /** The intents in the order of their segments, because an intent that is appended again moves to the end. */
  private readonly intents = new Map<string, OpenIntent>()

  /** Intents in files that are not needed, because their rows are elsewhere, and the last segments that may hold them. */
  private readonly settledElsewhere = new Map<string, number>()

  get size(): number {
    return this.intents.size
  }

  open(id: string, line: string, segment: number): void {
    this.intents.set(id, { line, segment })
  }

  has(id: string): boolean {
    return this.intents.has(id)
  }

  settle(id: string): void {
    this.intents.delete(id)
  }

  /** The row of this id is not in the journal, but where it is safe. No file says so, hence the counters do. */
  settleElsewhere(id: string, segment = this.intents.get(id)?.segment): void {
    if (segment !== undefined) this.settledElsewhere.set(id, segment)
    this.intents.delete(id)
  }

  /** The newest of the intents that are settled although no file says so. */
  settled(): readonly string[] {
    return [...this.settledElsewhere.keys()].slice(-MAX_SETTLED)
  }

  /** Calls `append` for each open intent of the segment. One that cannot be appended is gone. */
  leaveSegment(number: number, append: (line: string, id: string) => void): void {
    for (const [id, segment] of this.settledElsewhere) if (segment <= number) this.settledElsewhere.delete(id)
    for (const [id, { line, segment }] of this.intents) {
      if (segment > number) break
      this.intents.delete(id)
      append(line, id)
    }
  }
}
