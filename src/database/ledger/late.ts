import type { LogRecord } from "../../core/log-record.ts"

/** A row, or a part of one, that no request of this process has published: it became known later. */
export interface LateRow {
  readonly record: LogRecord
  /** False: the row existed already, and only its usage and cost are new. */
  readonly isNew: boolean
}

export interface LateListener {
  /** The items of jobs that are billed now, and the requests that an earlier process did not finish. */
  onLate?(rows: readonly LateRow[]): void
}
