import { randomUUID } from "node:crypto"
import { mkdirSync, readSync } from "node:fs"
import { type FileHandle, open, unlink } from "node:fs/promises"
import { join } from "node:path"

const PIECE_BYTES = 128 * 1024

/** A directory for data that is too large for memory. */
export interface SpillDirectory {
  /** @throws the error of the disk */
  open(): Promise<SpillFile>
}

/**
 * A temporary file for one writer. Its name is removed before the first byte is written, so that the system deletes it
 * even if the process is killed.
 */
export interface SpillFile {
  readonly length: number
  /** Appends, one call at a time. @throws the error of the disk; then nothing was appended */
  write(pieces: readonly Buffer[]): Promise<void>
  /** Returns the first bytes, at most `maxBytes`. Reads synchronously: they were just written, and are still cached. */
  read(maxBytes: number): Buffer
  /** Reads the bytes from `start` to before `end` on demand. Can be called often, and concurrently. */
  pieces(start: number, end: number): AsyncGenerator<Buffer>
  /** Frees the disk space. Reads that are still running fail. */
  close(): void
}

/** Opens spill files in a directory, which is created when it does not exist. */
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
      return new NamelessFile(handle)
    },
  }
}

class NamelessFile implements SpillFile {
  length = 0
  private readonly handle: FileHandle

  constructor(handle: FileHandle) {
    this.handle = handle
  }

  async write(pieces: readonly Buffer[]): Promise<void> {
    const end = this.length + pieces.reduce((sum, piece) => sum + piece.length, 0)
    const { bytesWritten } = await this.handle.writev(pieces, this.length)
    let at = this.length + bytesWritten
    // A disk that is nearly full accepts a part; the next call throws the reason.
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
      if (count === 0) throw new Error("a spill file is shorter than what was written to it")
      at += count
    }
    return bytes
  }

  async *pieces(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; ) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, end - at))
      const { bytesRead } = await this.handle.read(piece, 0, piece.length, at)
      if (bytesRead === 0) throw new Error("a spill file is shorter than what was written to it")
      at += bytesRead
      yield bytesRead === piece.length ? piece : piece.subarray(0, bytesRead)
    }
  }

  close(): void {
    this.handle.close().catch(() => {})
  }
}
