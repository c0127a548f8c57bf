import type { DamagedRecord } from "./damaged.ts"

/**
 * The result of appending a line. `kept`: it is stored. `full`: the limit does not leave room for it. `failed`: the disk
 * rejected it. A line that was not kept leaves no trace.
 */
export type AppendResult = "kept" | "full" | "failed"

/** The oldest waiting rows, ready to be sent as one JSON array. */
export interface Batch {
  /** `[{…},{…}]`, a view of memory that the next `read` reuses. `undefined` when the batch has no rows. */
  readonly array: Buffer | undefined
  /** Where each row of `array` begins in it. A row ends one byte (`,` or `]`) before the next. */
  readonly starts: readonly number[]
  /** Waiting lines that this batch settles: its rows, the damaged ones, and those whose file has vanished. */
  readonly lines: number
  /** Lines that were damaged on the disk. */
  readonly damaged: readonly DamagedRecord[]
}

/** Rows that wait for their consumer, in the order of their arrival. Only one consumer may read at a time. */
export interface BatchSource {
  readonly waitingLines: number
  readonly waitingBytes: number
  /**
   * Returns the oldest rows that are not acknowledged, about `maxBytes` of them but at least one. Returns the same rows
   * again until `ack`; `undefined` when nothing waits.
   */
  read(maxBytes: number): Promise<Batch | undefined>
  /** Removes the rows that the last `read` returned. */
  ack(batch: Batch): void
}

/** Returns one row of a batch, without its separators. */
export function rowAt({ array, starts }: Batch, index: number): Buffer {
  if (array === undefined) throw new RangeError("the batch holds no rows")
  return array.subarray(starts[index], (starts[index + 1] ?? array.length) - 1)
}

/** Returns rows `from` (inclusive) to `to` (exclusive) of a batch as a JSON array. */
export function sliceRows(batch: Batch, from: number, to: number): Buffer {
  const { array, starts } = batch
  if (array === undefined) throw new RangeError("the batch holds no rows")
  if (from === 0 && to === starts.length) return array
  return Buffer.concat([
    Buffer.from("["),
    array.subarray(starts[from], (starts[to] ?? array.length) - 1),
    Buffer.from("]"),
  ])
}
