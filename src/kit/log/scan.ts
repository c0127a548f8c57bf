import { type FileHandle, open } from "node:fs/promises"
import { forEachLine, kindOfLine } from "./line.ts"

const CHUNK_BYTES = 1 << 20

/** Returns how many rows a segment has from an offset on, damaged ones included. A file that is not there has none. */
export async function countRows(path: string, from: number): Promise<number> {
  let rows = 0
  try {
    const file = await open(path, "r")
    const count = (chunk: Buffer, start: number, end: number, position: number) => {
      const kind = kindOfLine(chunk, start, end)
      if (position >= from && kind !== "blank" && kind !== "intent") rows++
    }
    await forEachLineOf(file, count, from).finally(() => file.close())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
  }
  return rows
}

/** Visits the whole lines of a file from a position on, with their positions. Returns where its torn rest begins. */
export async function forEachLineOf(
  file: FileHandle,
  visit: (chunk: Buffer, start: number, end: number, position: number) => void,
  from = 0,
): Promise<number> {
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  let position = from
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position)
    const whole = forEachLine(chunk, 0, bytesRead, (start, end) => visit(chunk, start, end, position + start))
    position += whole
    if (bytesRead < chunk.length) return position
    if (whole === 0) chunk = Buffer.allocUnsafe(chunk.length * 2) // a line longer than the chunk
  }
}
