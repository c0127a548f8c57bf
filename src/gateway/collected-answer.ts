import { Pieces } from "../kit/pieces.ts"

/** The gateway holds an answer that is no stream up to this size, so that its cost can be sent in the head. */
export const MAX_COLLECTED_BYTES = 1024 * 1024

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20

/** The pieces of an answer that is held back until it is whole. */
export class CollectedAnswer {
  private readonly letsPaddingGo: boolean
  private readonly pieces = new Pieces()

  /** @param letsPaddingGo whether white space at the beginning can be recognized, and passed on */
  constructor(letsPaddingGo: boolean) {
    this.letsPaddingGo = letsPaddingGo
  }

  /**
   * Returns whether the answer can still be held. One that is large cannot, nor one that begins with white space: a
   * provider sends that while it works on a slow answer, to keep the connection alive.
   */
  add(piece: Buffer): boolean {
    const { pieces } = this
    const isPadding = pieces.length === 0 && this.letsPaddingGo && isSpace(piece[0])
    pieces.push(piece)
    return !isPadding && pieces.length <= MAX_COLLECTED_BYTES
  }

  /** Returns all bytes, with those of `rest` as the last ones. */
  take(rest?: Buffer): Buffer {
    if (rest?.length) this.pieces.push(rest)
    return this.pieces.takeBytes()
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === SPACE || byte === LF || byte === CR || byte === TAB
}
