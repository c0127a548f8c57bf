import { randomUUID } from "node:crypto"
import { mkdirSync, readSync } from "node:fs"
import { type FileHandle, open, unlink } from "node:fs/promises"
import { join } from "node:path"

const PIECE_BYTES = 128 * 1024

/** Where bytes are laid that are too many to be held. */
export interface SpillDirectory {
  /** @throws what the disk says */
  open(): Promise<SpillFile>
}

/** A file that lost its name before its first byte was written: whoever dies, nothing of it stays. One writer. */
export interface SpillFile {
  readonly length: number
  /** Appends; one call at a time. @throws what the disk says; then nothing was appended */
  write(pieces: readonly Buffer[]): Promise<void>
  /** The first bytes, at most so many: read at once, for they were written a moment ago. */
  read(maxBytes: number): Buffer
  /** The bytes from `start` to before `end`, read as they are asked for; as often as one likes, side by side too. */
  pieces(start: number, end: number): AsyncGenerator<Buffer>
  /** Gives the place back; whoever still reads gets an error. */
  close(): void
}

/** Files in this directory, which is made where it is not. */
export function createSpillDirectory(directory: string): SpillDirectory {
  return {
    async open() {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      const file = join(directory, randomUUID())
      const handle = await open(file, "wx+", 0o600)
      await unlink(file).catch(async (error: unknown) => {
        await handle.close()
        throw error
      })
      return new ShelvedFile(handle)
    },
  }
}

class ShelvedFile implements SpillFile {
  length = 0
  private readonly handle: FileHandle

  constructor(handle: FileHandle) {
    this.handle = handle
  }

  async write(pieces: readonly Buffer[]): Promise<void> {
    const end = this.length + pieces.reduce((sum, piece) => sum + piece.length, 0)
    const { bytesWritten } = await this.handle.writev(pieces, this.length)
    let at = this.length + bytesWritten
    // A disk that is nearly full takes a part; the next call says why.
    const rest = at < end ? Buffer.concat(pieces).subarray(bytesWritten) : undefined
    while (rest !== undefined && at < end) {
      at += (await this.handle.write(rest, rest.length - (end - at), end - at, at)).bytesWritten
    }
    this.length = end
  }

  read(maxBytes: number): Buffer {
    const bytes = Buffer.allocUnsafe(Math.min(maxBytes, this.length))
    let at = 0
    while (at < bytes.length) {
      const count = readSync(this.handle.fd, bytes, at, bytes.length - at, at)
      if (count === 0) throw new Error("a shelved file is shorter than it was")
      at += count
    }
    return bytes
  }

  async *pieces(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; ) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, end - at))
      const { bytesRead } = await this.handle.read(piece, 0, piece.length, at)
      if (bytesRead === 0) throw new Error("a shelved file is shorter than it was")
      at += bytesRead
      yield bytesRead === piece.length ? piece : piece.subarray(0, bytesRead)
    }
  }

  close(): void {
    this.handle.close().catch(() => {})
  }
}
