/** What is kept of a body that is too large to be held, so that what is asked of the whole can be asked of it. */
export interface Outline {
  /** The next bytes of the whole. */
  push(piece: Buffer): void
  /** All that is kept. */
  bytes(): Buffer
  /** Where a byte that is kept stands in the whole. */
  toOffset(at: number): number
}
