import {
  closeSync,
  fdatasync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  write,
  writeSync,
} from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { CHECKSUM_BYTES, crc32, readChecksum, writeChecksum } from "./checksum.ts"

/*
 * The numbers of a log that must survive its process, in a file that is written in place. Its space is allocated when
 * the file is created, so a full disk cannot prevent a later write. (File systems that never overwrite, such as btrfs and
 * ZFS, need new space for each write and do not give this promise.)
 *
 *   counters.json    four slots of 4096 bytes; each is a JSON object with a checksum, padded with spaces:
 *                    {"sequence":12,…,"crc":"1c291ca3"}
 *
 * The slot with the highest sequence is valid. Two slots are written in turn, so a torn write leaves the one before it.
 * The other two belong to writes that block, so that such a write never meets one that a thread is doing.
 */
const COUNTERS_FILE = "counters.json"
const SLOT_BYTES = 4096
const SLOTS = 4
const SAVE_INTERVAL_MS = 250

const SPACE = 0x20
const NEWLINE = 0x0a
const CLOSE_OBJECT = 0x7d

/** Returns the numbers that were stored last, or `undefined` if there are none. @throws the error of the disk */
export function readCounters(dir: string): Record<string, unknown> | undefined {
  try {
    return newestOf(readFileSync(join(dir, COUNTERS_FILE)))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw error
  }
}

/** Two slots that are written in turn. */
interface SlotPair {
  readonly bytes: Buffer
  /** The first of the two, counted in slots. */
  readonly first: number
  turn: number
}

/** Keeps the numbers of one directory in its counter file. Failures are reported, never thrown. */
export class CounterFile {
  /** The numbers that earlier processes stored. */
  readonly stored: Record<string, unknown> | undefined
  /** Returns the numbers of this moment. The owner sets it before it changes any. */
  content: () => object
  private readonly dir: string
  private readonly onError: (error: unknown, doing: string) => void
  private readonly isHeld: () => boolean
  private fd: number | undefined
  private sequence: number
  private isReported = false
  private isClosed = false
  private timer: NodeJS.Timeout | undefined
  private saving: Promise<void> = Promise.resolve()
  private readonly slots: SlotPair = { bytes: Buffer.alloc(SLOT_BYTES), first: 0, turn: 0 }
  private readonly blockingSlots: SlotPair = { bytes: Buffer.alloc(SLOT_BYTES), first: 2, turn: 0 }

  /** @param isHeld whether the directory is still this process's; nothing is written otherwise */
  constructor(dir: string, onError: (error: unknown, doing: string) => void, isHeld: () => boolean = () => true) {
    this.dir = dir
    this.onError = onError
    this.isHeld = isHeld
    this.stored = this.tryTo(() => readCounters(dir))
    this.sequence = Number(this.stored?.["sequence"] ?? 0)
    this.content = () => ({})
    this.tryTo(() => this.open())
  }

  /** The numbers have changed: they are stored within 250 ms. Cheap. */
  schedule(): void {
    this.timer ??= setTimeout(() => void this.save(), SAVE_INTERVAL_MS).unref()
  }

  /** Stores the numbers before it returns, for changes that nothing else on the disk shows. */
  saveSync(): void {
    if (this.isClosed || !this.isHeld()) return
    this.tryTo(() => {
      if (this.fd === undefined) this.open()
      const offset = this.encode(this.blockingSlots)
      writeSync(this.fd!, this.blockingSlots.bytes, 0, SLOT_BYTES, offset)
    })
  }

  /** Stores and syncs the numbers of this moment or of a later one. */
  save(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    this.saving = this.saving.then(() => this.writeSlot())
    return this.saving
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    await this.save()
    await this.abandon()
  }

  /** Closes the file without storing anything. */
  async abandon(): Promise<void> {
    clearTimeout(this.timer)
    await this.saving
    this.isClosed = true
    if (this.fd !== undefined) closeSync(this.fd)
    this.fd = undefined
  }

  private async writeSlot(): Promise<void> {
    if (this.isClosed || !this.isHeld()) return
    try {
      if (this.fd === undefined || fstatSync(this.fd).nlink === 0) this.open()
      const offset = this.encode(this.slots)
      await promisify(write)(this.fd!, this.slots.bytes, 0, SLOT_BYTES, offset)
      await promisify(fdatasync)(this.fd!)
      this.isReported = false
    } catch (error) {
      this.report(error)
    }
  }

  /** Encodes the numbers into the next slot of the pair, and returns where in the file it belongs. */
  private encode(pair: SlotPair): number {
    const { bytes } = pair
    const text = JSON.stringify({ ...this.content(), sequence: ++this.sequence })
    if (Buffer.byteLength(text) > SLOT_BYTES - CHECKSUM_BYTES - 1)
      throw new RangeError("the counters exceed their slot")
    bytes.fill(SPACE)
    const end = bytes.write(text) - 1
    bytes[writeChecksum(bytes, end, crc32(bytes, 0, end))] = CLOSE_OBJECT
    bytes[SLOT_BYTES - 1] = NEWLINE
    pair.turn = 1 - pair.turn
    return (pair.first + pair.turn) * SLOT_BYTES
  }

  /** Opens the file, and creates it as a whole when it does not exist. */
  private open(): void {
    if (this.fd !== undefined) closeSync(this.fd)
    this.fd = undefined
    const path = join(this.dir, COUNTERS_FILE)
    try {
      this.fd = openSync(path, "r+")
      if (fstatSync(this.fd).size === SLOTS * SLOT_BYTES) return
      closeSync(this.fd)
      this.fd = undefined
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
    }
    this.fd = createWhole(path)
  }

  private tryTo<T>(work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      this.report(error)
      return undefined
    }
  }

  /** Reports the first failure of a series. */
  private report(error: unknown): void {
    if (!this.isReported) this.onError(error, `storing the counters in ${join(this.dir, COUNTERS_FILE)}`)
    this.isReported = true
  }
}

function createWhole(path: string): number {
  const draft = `${path}.new`
  const fd = openSync(draft, "w+", 0o600)
  try {
    const bytes = Buffer.alloc(SLOTS * SLOT_BYTES, SPACE)
    if (writeSync(fd, bytes, 0, bytes.length, 0) !== bytes.length) {
      throw Object.assign(new Error("the disk is full"), { code: "ENOSPC" })
    }
    renameSync(draft, path)
    return fd
  } catch (error) {
    closeSync(fd)
    unlinkSync(draft)
    throw error
  }
}

function newestOf(bytes: Buffer): Record<string, unknown> | undefined {
  let newest: Record<string, unknown> | undefined
  for (let start = 0; start < bytes.length; start += SLOT_BYTES) {
    const found = parseSlot(bytes.subarray(start, start + SLOT_BYTES))
    if (found !== undefined && Number(found["sequence"]) > Number(newest?.["sequence"] ?? 0)) newest = found
  }
  return newest
}

function parseSlot(slot: Buffer): Record<string, unknown> | undefined {
  const end = slot.lastIndexOf(CLOSE_OBJECT)
  const payloadEnd = end - CHECKSUM_BYTES
  const checksum = readChecksum(slot, payloadEnd)
  if (checksum === undefined || checksum !== crc32(slot, 0, payloadEnd)) return undefined
  return JSON.parse(`${slot.toString("utf8", 0, payloadEnd)}}`)
}
