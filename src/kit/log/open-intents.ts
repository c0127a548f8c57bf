/** An intent without its row, and the segment that holds it. */
interface OpenIntent {
  readonly line: string
  readonly segment: number
}

/**
 * The intents of a journal whose rows have not been appended yet. When a segment is deleted, the open intents in it are
 * appended again, so that they outlive it.
 */
export class OpenIntents {
  /** The intents in the order of their segments, because an intent that is appended again moves to the end. */
  private readonly intents = new Map<string, OpenIntent>()

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

  /** Calls `append` for each open intent of the segment. One that cannot be appended is gone. */
  leaveSegment(number: number, append: (line: string, id: string) => void): void {
    for (const [id, { line, segment }] of this.intents) {
      if (segment > number) break
      this.intents.delete(id)
      append(line, id)
    }
  }
}
