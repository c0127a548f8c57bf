import { readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"

/** Up to here, all lines are taken away. */
export interface Position {
  readonly segment: number
  readonly offset: number
}

const FILE = "cursor.json"

/** Undefined when there is none or it cannot be read: then what is there is sent again, which does no harm. */
export async function readCursor(dir: string): Promise<Position | undefined> {
  try {
    const { segment, offset }: Partial<Position> = JSON.parse(await readFile(join(dir, FILE), "utf8"))
    if (!Number.isSafeInteger(segment) || !Number.isSafeInteger(offset)) return undefined
    return { segment: segment as number, offset: offset as number }
  } catch {
    return undefined
  }
}

/** Replaces the cursor as a whole: a reader sees the old one or the new one. */
export async function writeCursor(dir: string, position: Position): Promise<void> {
  const draft = join(dir, `${FILE}.new`)
  await writeFile(draft, `${JSON.stringify(position)}\n`, { mode: 0o600 })
  await rename(draft, join(dir, FILE))
}
