import { closeSync, openSync, readdirSync, renameSync, statSync, unlinkSync, writeSync } from "node:fs"
import { join } from "node:path"
import type { Segment } from "./segment.ts"
import type { SegmentWriter } from "./segment-writer.ts"

/** More than fits into the rest of a block that a file has anyway. */
const TRIAL_BYTES = 64 << 10

/** Several files, because one is filled again only when all its records are acknowledged. */
const RESERVE_FILES = 8
/** Room for several thousand rows. A small log has a small reserve. */
const MAX_RESERVE_BYTES = 4 << 20
const MAX_SHARE = 1 / 8

const NAME = /^reserve-\d+$/

/**
 * Space on the disk that is allocated beforehand: files of zeros, `reserve-1` and on. When the disk rejects a record, one
 * of them becomes the live segment. It is written in place, so a full disk cannot prevent it.
 */
export class Reserve {
  /** The size of one file. */
  readonly fileBytes: number
  private readonly dir: string

  /** @param logBytes the limit on the size of the log */
  constructor(dir: string, logBytes: number) {
    this.dir = dir
    this.fileBytes = Math.ceil(Math.min(MAX_RESERVE_BYTES, logBytes * MAX_SHARE) / RESERVE_FILES)
  }

  /** Allocates the files that are missing, or else tries whether the disk accepts a write. @throws the error of the disk */
  refill(): void {
    const present = this.list()
    for (let n = 1; n <= RESERVE_FILES; n++) {
      const name = `reserve-${n}`
      if (!present.includes(name)) writeWhole(this.dir, name, this.fileBytes)
    }
    if (present.length < RESERVE_FILES) return
    writeWhole(this.dir, "reserve-trial", TRIAL_BYTES)
    unlinkSync(join(this.dir, "reserve-trial"))
  }

  /** The same for the beginning. Without a reserve, a full disk leaves only the memory for further records. */
  allocate(onError: (error: unknown, doing: string) => void): void {
    try {
      this.refill()
    } catch (error) {
      onError(error, "allocating the reserve of the journal")
    }
  }

  /** Appends the records in `bytes` to the reserve. Returns whether they are kept. */
  append(writer: SegmentWriter, bytes: Buffer, records: number): boolean {
    const { live } = writer
    if (bytes.length > this.fileBytes || (live?.room !== undefined && live.bytes === 0)) return false
    try {
      writer.rotateTo((path) => this.take(path), this.fileBytes)
      writer.append(bytes, bytes.length, records)
      return true
    } catch {
      return false
    }
  }

  /** Returns to an ordinary segment. Returns false while the disk has no room for the whole reserve. */
  leave(writer: SegmentWriter): boolean {
    try {
      this.refill()
      writer.rotate()
      return true
    } catch {
      return false
    }
  }

  /** Makes a segment that is not needed any more a file of the reserve. Returns false when it is not missing there. */
  recover({ path, bytes, room }: Segment): boolean {
    if (room === undefined) return false
    const present = this.list()
    if (present.length >= RESERVE_FILES) return false
    const fd = openSync(path, "r+")
    try {
      writeSync(fd, Buffer.alloc(bytes), 0, bytes, 0)
    } finally {
      closeSync(fd)
    }
    let n = 1
    while (present.includes(`reserve-${n}`)) n++
    renameSync(path, join(this.dir, `reserve-${n}`))
    return true
  }

  remove(): void {
    for (const name of this.list()) unlinkSync(join(this.dir, name))
  }

  /** Makes one file the segment with this path, and opens it. @throws if there is none */
  private take(path: string): number {
    const [name] = this.list()
    if (name === undefined) throw new Error("the reserve is used up")
    const file = join(this.dir, name)
    const fd = openSync(file, "r+")
    try {
      renameSync(file, path)
      return fd
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  /** The files of the right size: an earlier process may have left others. */
  private list(): string[] {
    const isWhole = (name: string) => statSync(join(this.dir, name)).size === this.fileBytes
    return readdirSync(this.dir).filter((name) => NAME.test(name) && isWhole(name))
  }
}

/** Creates a file of zeros, or nothing. */
function writeWhole(dir: string, name: string, length: number): void {
  const path = join(dir, name)
  const draft = join(dir, "reserve.new")
  const fd = openSync(draft, "w", 0o600)
  try {
    if (writeSync(fd, Buffer.alloc(length), 0, length, 0) !== length) {
      throw Object.assign(new Error("the disk is full"), { code: "ENOSPC" })
    }
    renameSync(draft, path)
  } catch (error) {
    unlinkSync(draft)
    throw error
  } finally {
    closeSync(fd)
  }
}
