/** A shorter piece is joined with its neighbors when there are many, because each Buffer takes some 200 bytes itself. */
const SMALL_BYTES = 1024
const MAX_SMALL_PIECES = 64

/**
 * Collects the pieces of a message. It takes little more memory than the bytes, however the message is cut. Ordinary
 * pieces are kept and not copied.
 */
export class Pieces {
  /** The number of bytes of all pieces. */
  length = 0
  private pieces: Buffer[] = []
  /** The number of small pieces at the end. */
  private small = 0

  push(piece: Buffer): void {
    this.length += piece.length
    this.pieces.push(piece)
    if (piece.length >= SMALL_BYTES) this.small = 0
    else if (++this.small === MAX_SMALL_PIECES) this.joinSmall()
  }

  /** Returns the pieces, and forgets them. */
  take(): Buffer[] {
    const { pieces } = this
    this.length = 0
    this.pieces = []
    this.small = 0
    return pieces
  }

  /** Returns all bytes, and forgets them. One single piece is returned itself. */
  takeBytes(): Buffer {
    const { length } = this
    const pieces = this.take()
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length)
  }

  private joinSmall(): void {
    const joined = Buffer.concat(this.pieces.splice(-MAX_SMALL_PIECES))
    this.pieces.push(joined)
    this.small = joined.length < SMALL_BYTES ? 1 : 0
  }
}
