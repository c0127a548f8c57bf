import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { readCounters } from "./counter-file.ts"
import { type Position, toPosition } from "./position.ts"

/** Where earlier versions stored the cursor. It is read when there is no counter file. */
export const OLD_CURSOR_FILE = "cursor.json"

/**
 * Returns the position before which all lines are acknowledged, or `undefined` when it is not known. The reader then
 * gets every line again, which does no harm.
 */
export async function readCursor(dir: string): Promise<Position | undefined> {
  try {
    const cursor = toPosition(readCounters(dir)?.["cursor"])
    return cursor ?? toPosition(JSON.parse(await readFile(join(dir, OLD_CURSOR_FILE), "utf8")))
  } catch {
    return undefined
  }
}
