import { type FileHandle, open } from "node:fs/promises"
import { findId, findPayloadEnd, forEachLine, kindOfLine } from "./line.ts"

const CHUNK_BYTES = 1 << 20

/** Returns whether a segment has an undamaged row with this id from an offset on. A file that cannot be read has none. */
export async function holdsRow(path: string, from: number, id: string): Promise<boolean> {
  let isFound = false
  try {
    const file = await open(path, "r")
    const look = (chunk: Buffer, start: number, end: number) => {
      isFound ||= findId(chunk, start, end, "row") === id && findPayloadEnd(chunk, start, end, "row") !== -1
    }
    await forEachLineOf(
      file,
      (chunk, start, end) => kindOfLine(chunk, start, end) === "row" && look(chunk, start, end),
      from,
    ).finally(() => file.close())
    return isFound
  } catch {
    return false
  }
}

/**
 * Returns how many rows a segment has from an offset on, damaged ones included. A file that is not there has none;
 * `undefined` stands for one that cannot be read.
 */
export async function countRows(path: string, from: number): Promise<number | undefined> {
  let rows = 0
  try {
    const file = await open(path, "r")
    const count = (chunk: Buffer, start: number, end: number, position: number) => {
      const kind = kindOfLine(chunk, start, end)
      if (position >= from && kind !== "blank" && kind !== "intent") rows++
    }
    await forEachLineOf(file, count, from).finally(() => file.close())
    return rows
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? 0 : undefined
  }
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
