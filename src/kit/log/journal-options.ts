import type { Lock } from "../lock.ts"
import type { CounterFile } from "./counter-file.ts"
import type { Reserve } from "./reserve.ts"

/** The right of this process to the directory of a journal. */
type JournalLock = Pick<Lock, "isHeld" | "release">

/** The parts of its directory that a journal holds while it is open. */
export interface Held {
  /** A process that was frozen, and whose directory another one has claimed meanwhile, must not write. */
  isHeld(): boolean
  readonly lock: JournalLock | undefined
  readonly counters: CounterFile
  readonly reserve: Reserve
}

export interface JournalOptions {
  /** Created when it does not exist. Only one process may use it at a time: see `lock`. */
  readonly dir: string
  /** Limit on the size of all files; a line beyond it is rejected. */
  readonly maxBytes: number
  /** A segment of this size is followed by a new one. */
  readonly segmentBytes?: number
  /** A segment of this age is followed by a new one as well, so that acknowledged lines do not stay for months. */
  readonly segmentAgeMs?: number
  /** Lines are synced to the disk at most this much later. */
  readonly syncIntervalMs: number
  /** Claims the directory for this process until `release`; rejects when another process has it. */
  lock?(dir: string): Promise<JournalLock>
  /** Damaged lines were set aside. `sentence` says which and where. */
  onDamaged(sentence: string): void
  /** The disk has rejected a write: from now on lines are kept in the reserve, or fail. */
  onFailing?(error: unknown): void
  /** The file with this intent is about to be deleted, and the disk did not take a copy of the intent. */
  onIntentLost?(id: string): void
  /** Something failed in the background. Appending reports its own failures. */
  onError(error: unknown, doing: string): void
}
