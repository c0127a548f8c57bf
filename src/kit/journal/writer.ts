import { fdatasync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, writeSync } from "node:fs"
import { open } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { type Segment, toSegmentName } from "./segment.ts"

const SCRATCH_BYTES = 1 << 16
const MAX_BYTES_PER_UNIT = 3 // a UTF-16 unit is at most three bytes of UTF-8

export interface SegmentWriter {
  /** Lines are appended to this one. */
  readonly live: Segment
  /**
   * Appends a line, or several, and a newline by one write; returns the bytes. Throws when the disk refuses, and leaves
   * no trace.
   * @param waiting how many of the lines wait to be taken away
   */
  write(line: string, waiting: number): number
  /** Syncs the live segment and waits for it; never throws. */
  syncNow(): void
  close(): Promise<void>
}

export interface SegmentWriterOptions {
  readonly dir: string
  readonly firstNumber: number
  readonly segmentBytes: number
  readonly syncIntervalMs: number
  /** A new segment has become the live one. */
  onSegment(live: Segment): void
  /** A segment is no longer written and its bytes are synced. */
  onSynced(segment: Segment): void
  onError(error: unknown, doing: string): void
}

export function createSegmentWriter(options: SegmentWriterOptions): SegmentWriter {
  const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  let live = openSegment(options.dir, options.firstNumber)
  let torn = false
  let timer: NodeJS.Timeout | undefined
  let syncing: Promise<void> | undefined
  options.onSegment(live)

  function write(line: string, waiting: number): number {
    if (torn) mend()
    const bytes =
      line.length * MAX_BYTES_PER_UNIT < SCRATCH_BYTES ? scratch : Buffer.allocUnsafe(Buffer.byteLength(line) + 1)
    const length = bytes.write(line, 0, "utf8") + 1
    bytes[length - 1] = 0x0a
    torn = true
    const written = writeSync(live.fd!, bytes, 0, length)
    if (written !== length) throw new Error(`only ${written} of ${length} bytes were written: the disk is full`)
    torn = false
    live.bytes += length
    live.waiting += waiting
    if (timer === undefined) timer = setTimeout(sync, options.syncIntervalMs).unref()
    if (live.bytes >= options.segmentBytes) tryRotate()
    return length
  }

  /** Takes back what a failed write left, or else leaves it at the end of a segment that is written no more. */
  function mend(): void {
    try {
      ftruncateSync(live.fd!, live.bytes)
    } catch {
      rotate()
    }
    torn = false
  }

  function rotate(): void {
    const last = live
    live = openSegment(options.dir, last.number + 1)
    options.onSegment(live)
    void syncSegment(last).finally(() => options.onSynced(last))
  }

  /** A segment that grows past its size is better than a line lost. */
  function tryRotate(): void {
    try {
      rotate()
    } catch (error) {
      options.onError(error, "opening a new journal segment")
    }
  }

  function sync(): void {
    timer = undefined
    syncing = Promise.all([syncing, syncSegment(live)]).then(() => {})
  }

  async function syncSegment(segment: Segment): Promise<void> {
    try {
      await promisify(fdatasync)(segment.fd!)
    } catch (error) {
      if (segment.fd !== undefined) options.onError(error, "syncing the journal") // else it was taken away meanwhile
    }
  }

  function syncNow(): void {
    try {
      fdatasyncSync(live.fd!)
    } catch (error) {
      options.onError(error, "syncing the journal")
    }
  }

  async function close(): Promise<void> {
    clearTimeout(timer)
    sync()
    clearTimeout(timer)
    await syncing
  }

  return {
    get live() {
      return live
    },
    write,
    syncNow,
    close,
  }
}

function openSegment(dir: string, number: number): Segment {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, toSegmentName(number))
  const fd = openSync(path, "ax+", 0o600) // readable as well: what is written stays within reach if the directory goes
  void syncDirectory(dir)
  return { number, path, bytes: 0, taken: 0, waiting: 0, fd }
}

/** Makes the name of a new file durable. Not every system can; those that cannot do it by themselves. */
async function syncDirectory(dir: string): Promise<void> {
  try {
    const handle = await open(dir, "r")
    await handle.sync().finally(() => handle.close())
  } catch {
    // the file's own sync is all there is
  }
}
