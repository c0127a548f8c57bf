/**
 * What became of a line that was handed over: `kept`; `full`: no room within the limit; `failed`: the disk refused.
 * A line that was not kept has left no trace.
 */
export type AppendResult = "kept" | "full" | "failed"

/** The oldest waiting lines, ready to be sent as one JSON array. */
export interface Batch {
  /** `[{…},{…}]`; a view on memory that the next `read` uses again. `undefined`: none of the lines is a JSON object. */
  readonly array: Buffer | undefined
  /** Where each row of `array` begins in it; a row ends one byte (`,` or `]`) before the next. */
  readonly starts: readonly number[]
  /** Waiting lines that this batch settles: its rows, the broken ones, and those whose file has vanished. */
  readonly lines: number
  /** Lines that are no JSON object: what a disk made of them. */
  readonly broken: readonly string[]
}

/** Lines that wait for somebody to take them away, in the order of their arrival. One reader at a time. */
export interface Spool {
  readonly waitingLines: number
  readonly waitingBytes: number
  /** The oldest lines that are not acknowledged, about `maxBytes` of them but at least one; again the same until `ack`. */
  read(maxBytes: number): Promise<Batch | undefined>
  /** Lets go of what the last `read` gave. */
  ack(batch: Batch): void
}

/** One row of a batch, without what parts it from its neighbours. */
export function rowAt({ array, starts }: Batch, index: number): Buffer {
  if (array === undefined) throw new RangeError("the batch holds no rows")
  return array.subarray(starts[index], (starts[index + 1] ?? array.length) - 1)
}

/** Rows `from` (inclusive) to `to` (exclusive) of a batch as an array of their own. */
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
