import type { AppendResult, Batch, BatchSource } from "./log/batch.ts"

export interface BatchQueue extends BatchSource {
  /** Whether the batch that was read last is in use. */
  readonly isInUse: boolean
  /** Adds a line; returns at once. */
  append(line: string): AppendResult
  /** The batch that was read last is not in use any more, and was not acknowledged. */
  release(): void
  /** Returns the oldest lines, at most `count`, that are in no batch in use. */
  peek(count: number): readonly string[]
  /** Removes the first `count` lines of those that `peek` returned. */
  remove(count: number): void
}

interface BatchQueueOptions {
  readonly maxBytes: number
  /** The line has left the queue. */
  onLeave?(line: string): void
}

/**
 * Creates a queue of lines in memory. It holds at most `maxBytes`, counted in UTF-16 code units, and is lost with the
 * process.
 */
export function createBatchQueue({ maxBytes, onLeave = () => {} }: BatchQueueOptions): BatchQueue {
  let lines: string[] = []
  /** The number of `lines` that are done. Moving the rest at every batch would take time in proportion to its square. */
  let taken = 0
  /** The number of lines in the batch that was read last and is in use. */
  let given = 0
  let size = 0

  function append(line: string): AppendResult {
    if (size + line.length > maxBytes) return "full"
    lines.push(line)
    size += line.length
    return "kept"
  }

  async function read(batchBytes: number): Promise<Batch | undefined> {
    const starts: number[] = []
    let end = taken
    let at = 1
    for (; end < lines.length && (end === taken || at + lines[end]!.length < batchBytes); end++) {
      starts.push(at)
      at += Buffer.byteLength(lines[end]!) + 1
    }
    if (end === taken) return undefined
    given = end - taken
    const array = Buffer.from(`[${lines.slice(taken, end).join(",")}]`)
    return { array, starts, lines: end - taken, damaged: [] }
  }

  function ack(batch: Batch): void {
    given = 0
    leave(taken, taken + batch.lines)
    taken += batch.lines
    if (taken < lines.length / 2) return
    lines = lines.slice(taken)
    taken = 0
  }

  function leave(from: number, to: number): void {
    for (let i = from; i < to; i++) {
      size -= lines[i]!.length
      onLeave(lines[i]!)
    }
  }

  function remove(count: number): void {
    leave(taken + given, taken + given + count)
    lines.splice(taken + given, count)
  }

  return {
    get waitingLines() {
      return lines.length - taken
    },
    get waitingBytes() {
      return size
    },
    get isInUse() {
      return given > 0
    },
    append,
    read,
    ack,
    release() {
      given = 0
    },
    peek: (count) => lines.slice(taken + given, taken + given + count),
    remove,
  }
}
