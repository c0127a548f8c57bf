import type { AppendResult, Batch, BatchSource } from "./log/batch.ts"

export interface BatchQueue extends BatchSource {
  /** Adds a line; returns at once. */
  append(line: string): AppendResult
}

/**
 * Creates a queue of lines in memory. It holds at most `maxBytes`, counted in UTF-16 code units, and is lost with the
 * process.
 */
export function createBatchQueue({ maxBytes }: { readonly maxBytes: number }): BatchQueue {
  let lines: string[] = []
  /** The number of `lines` that are done. Moving the rest at every batch would take time in proportion to its square. */
  let taken = 0
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
    const array = Buffer.from(`[${lines.slice(taken, end).join(",")}]`)
    return { array, starts, lines: end - taken, damaged: [] }
  }

  function ack(batch: Batch): void {
    for (let i = taken; i < taken + batch.lines; i++) size -= lines[i]!.length
    taken += batch.lines
    if (taken < lines.length / 2) return
    lines = lines.slice(taken)
    taken = 0
  }

  return {
    get waitingLines() {
      return lines.length - taken
    },
    get waitingBytes() {
      return size
    },
    append,
    read,
    ack,
  }
}
