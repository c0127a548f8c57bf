import { closeSync, fdatasync, ftruncateSync, mkdirSync, openSync, writeSync, writevSync } from "node:fs"
import { open, rename, unlink } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { findOrphanedFiles, LARGE, type OrphanedFile, PART, SEGMENT } from "./orphaned.ts"

/*
 * What waits for S3, on disk beside the journal, so that it survives any end of this process.
 *
 *   DIRECTORY/             0700
 *     000000000001.seg     0600: records one after the other; the newest is written, all are read by the uploader
 *     000000000002.ID.large   one record that was too large to be written on the spot
 *     000000000003.ID.part    the same while it is being written. Left by an earlier process, it is the trace of a
 *                          request whose row names an object that will never be
 *
 * A file is deleted when all of its objects are in S3. After a kill, a segment is uploaded again from its beginning: the
 * keys are the same, so nothing changes by that.
 */

const SEGMENT_BYTES = 8 << 20
/** A finished segment is given up for a new one at most so often, so that an idle gateway leaves nothing behind. */
const RENEW_INTERVAL_MS = 1000

export interface SpoolFile {
  readonly name: string
  /** Written so far; whole records. */
  readonly bytes: number
  readonly records: number
  /** Nothing is added to it any more. */
  readonly isSealed: boolean
}

export interface SpoolOptions {
  readonly dir: string
  readonly maxBytes: number
  /** Segments are synced to the disk at most so much later. */
  readonly syncIntervalMs: number
  /** A file has grown, or is sealed. */
  onChange(file: SpoolFile): void
  /** Trouble in the background. */
  onError(error: unknown, doing: string): void
}

export interface BodySpool {
  /** Files that are there: of earlier processes when it was opened, later all that wait. */
  files(): readonly SpoolFile[]
  /** Ids of requests whose bodies an earlier process did not get to the disk. */
  readonly torn: readonly string[]
  readonly bytes: number
  /** True: it is on its way to the disk, and safe from the end of this process. False: no room. Throws: no disk. */
  append(pieces: readonly Buffer[], length: number): boolean
  /** The same for what is too large to be written on the spot: `done` tells whether it was written. */
  appendLarge(id: string, pieces: readonly Buffer[], length: number, done: (error: unknown) => void): boolean
  /** All of a file up to `bytes` is in S3. */
  taken(name: string, bytes: number): void
  /** The trace of a torn request is no longer needed. */
  forgetTorn(id: string): Promise<void>
  close(): Promise<void>
}

interface Live {
  name: string
  fd: number
  bytes: number
  records: number
  isSealed: boolean
  isTorn: boolean
}

export async function openBodySpool(options: SpoolOptions): Promise<BodySpool> {
  const { dir, maxBytes, onChange, onError } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const left = await findOrphanedFiles(dir, onError)
  const files = new Map<string, SpoolFile>(
    left.files.map((file: OrphanedFile) => [file.name, { ...file, isSealed: true }]),
  )
  const torn = new Map(left.torn.map(({ id, name }) => [id, name]))
  let bytes = left.files.reduce((sum, file) => sum + file.bytes, 0)
  let number = left.lastNumber
  let live: Live | undefined
  let renewedAt = 0
  let isClosed = false
  let takenLive: { readonly name: string; readonly bytes: number } | undefined
  let renewTimer: NodeJS.Timeout | undefined
  let syncTimer: NodeJS.Timeout | undefined
  let background = Promise.resolve()

  function append(pieces: readonly Buffer[], length: number): boolean {
    if (bytes + length > maxBytes) return false
    live ??= openSegment()
    if (live.isTorn) mend(live)
    const segment = live
    const written = pieces.length === 1 ? writeSync(segment.fd, pieces[0]!) : writevSync(segment.fd, pieces)
    if (written !== length) {
      segment.isTorn = true
      throw Object.assign(new Error("the disk is full"), { code: "ENOSPC" })
    }
    segment.bytes += length
    segment.records++
    bytes += length
    syncTimer ??= setTimeout(sync, options.syncIntervalMs).unref()
    if (segment.bytes >= SEGMENT_BYTES) seal(segment)
    else changed(segment)
    return true
  }

  /** Takes back what a failed write left. */
  function mend(segment: Live): void {
    ftruncateSync(segment.fd, segment.bytes)
    segment.isTorn = false
  }

  function openSegment(): Live {
    mkdirSync(dir, { recursive: true, mode: 0o700 }) // somebody may have removed it meanwhile
    const name = `${nextNumber()}${SEGMENT}`
    return { name, fd: openSync(join(dir, name), "ax", 0o600), bytes: 0, records: 0, isSealed: false, isTorn: false }
  }

  function nextNumber(): string {
    return String(++number).padStart(12, "0")
  }

  function seal(segment: Live): void {
    segment.isSealed = true
    live = undefined
    renewedAt = performance.now()
    later("closing a segment of bodies", async () => {
      await promisify(fdatasync)(segment.fd).finally(() => closeSync(segment.fd))
    })
    changed(segment)
  }

  function changed({ name, bytes: size, records, isSealed }: Live): void {
    const file = { name, bytes: size, records, isSealed }
    files.set(name, file)
    onChange(file)
  }

  function sync(): void {
    syncTimer = undefined
    const segment = live
    if (segment === undefined) return
    fdatasync(segment.fd, (error) => {
      // EBADF: it was sealed meanwhile, which syncs too.
      if (error && error.code !== "EBADF") onError(error, "syncing the bodies that wait")
    })
  }

  function appendLarge(id: string, pieces: readonly Buffer[], length: number, done: (error: unknown) => void): boolean {
    if (bytes + length > maxBytes) return false
    const stem = `${nextNumber()}.${id}`
    const part = join(dir, stem + PART)
    // Its name alone says that the request has a row with a key: there before the row is.
    closeSync(openSync(part, "ax", 0o600))
    bytes += length
    later("writing a large body", async () => {
      try {
        await writeAll(part, pieces)
        await rename(part, join(dir, stem + LARGE))
        const file = { name: stem + LARGE, bytes: length, records: 1, isSealed: true }
        files.set(file.name, file)
        done(undefined)
        onChange(file)
      } catch (error) {
        bytes -= length
        torn.set(id, stem + PART)
        done(error)
      }
    })
    return true
  }

  function taken(name: string, upTo: number): void {
    const file = files.get(name)
    if (file === undefined || upTo < file.bytes) return
    if (live?.name === name) {
      if (!isClosed && performance.now() - renewedAt < RENEW_INTERVAL_MS) {
        takenLive = { name, bytes: upTo }
        renewTimer ??= setTimeout(renew, RENEW_INTERVAL_MS).unref()
        return
      }
      seal(live)
    }
    files.delete(name)
    bytes -= file.bytes
    later("deleting what is in S3", () => removeFile(join(dir, name)))
  }

  function renew(): void {
    renewTimer = undefined
    if (takenLive !== undefined) taken(takenLive.name, takenLive.bytes)
  }

  async function forgetTorn(id: string): Promise<void> {
    const name = torn.get(id)
    torn.delete(id)
    if (name !== undefined) await removeFile(join(dir, name))
  }

  function later(doing: string, work: () => Promise<void>): void {
    const running = work().catch((error: unknown) => onError(error, doing))
    background = Promise.all([background, running]).then(() => {})
  }

  async function close(): Promise<void> {
    isClosed = true
    clearTimeout(syncTimer)
    clearTimeout(renewTimer)
    renew()
    if (live !== undefined) seal(live)
    await background
  }

  return {
    files: () => [...files.values()],
    torn: [...torn.keys()],
    get bytes() {
      return bytes
    },
    append,
    appendLarge,
    taken,
    forgetTorn,
    close,
  }
}

async function writeAll(path: string, pieces: readonly Buffer[]): Promise<void> {
  const file = await open(path, "r+")
  try {
    await file.writev(pieces as Buffer[]).then(async ({ bytesWritten }) => {
      if (bytesWritten !== pieces.reduce((sum, piece) => sum + piece.length, 0)) throw new Error("the disk is full")
    })
    await file.datasync()
  } finally {
    await file.close()
  }
}

async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error) => {
    if (error.code !== "ENOENT") throw error
  })
}
