/**
 * A short version of a body that is too large for memory, built from its pieces as they arrive. A search for the members
 * of a JSON object or for the fields of a form finds the same in the outline as in the whole body.
 */
export interface Outline {
  /** Adds the next bytes of the whole. */
  push(piece: Buffer): void
  /** Returns everything that was kept. */
  bytes(): Buffer
  /** Converts the position of a kept byte to its position in the whole. */
  toOffset(at: number): number
}
