import type { Lock } from "../lock.ts"

/** The right of this process to the directory of a journal. */
export type JournalLock = Pick<Lock, "isHeld" | "release">

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
  /** Something failed in the background. Appending reports its own failures. */
  onError(error: unknown, doing: string): void
}
