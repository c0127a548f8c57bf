/**
 * Rows of a memory that were sent to the database, from one position to another. The positions count the rows that only
 * a memory had, over the life of a journal directory.
 */
export interface SentRows {
  readonly from: number
  readonly to: number
}

/** Knows which rows of the memory were sent, so that the database may have them although no counter says so. */
export class SentPositions {
  /** The position of the oldest row in memory. `undefined` until the first row is sent. */
  private oldest: number | undefined = undefined
  /** The position after the last row that was sent. */
  private end = 0

  get areKnown(): boolean {
    return this.oldest !== undefined
  }

  /** The oldest row in memory has this position. */
  begin(position: number): void {
    this.oldest = position
    this.end = position
  }

  /** The oldest row has left the memory. */
  leave(): void {
    if (this.oldest !== undefined) this.oldest++
  }

  /** The oldest `rows` rows are about to be sent. Returns the position of the first one. */
  send(rows: number): number {
    const from = this.oldest ?? 0
    this.end = Math.max(this.end, from + rows)
    return from
  }

  /** Returns which of the `rows` rows in memory were sent. */
  sent(rows: number): SentRows | undefined {
    const from = this.oldest
    const to = Math.min(this.end, (from ?? 0) + rows)
    return from !== undefined && from < to ? { from, to } : undefined
  }
}

/** Returns whether a value from the disk is such a range. */
export function isSentRows(value: unknown): value is SentRows {
  const { from, to } = (value ?? {}) as Partial<Record<keyof SentRows, unknown>>
  return (
    [from, to].every((position) => Number.isSafeInteger(position) && Number(position) >= 0) && Number(from) < Number(to)
  )
}
