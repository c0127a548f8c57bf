import { readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"

/** All lines before this position have been acknowledged. */
export interface Position {
  readonly segment: number
  readonly offset: number
}

const FILE = "cursor.json"
const SAVE_INTERVAL_MS = 1000

/**
 * Returns the stored position, or `undefined` when there is none or it cannot be read. The reader then gets every line
 * again, which does no harm.
 */
export async function readCursor(dir: string): Promise<Position | undefined> {
  try {
    const { segment, offset }: Partial<Position> = JSON.parse(await readFile(join(dir, FILE), "utf8"))
    if (!Number.isSafeInteger(segment) || !Number.isSafeInteger(offset)) return undefined
    return { segment: segment as number, offset: offset as number }
  } catch {
    return undefined
  }
}

/** Stores the position of a journal's reader from time to time. */
export interface CursorWriter {
  /** The position has changed. Cheap. */
  schedule(): void
  /** Stores the position now. */
  close(): Promise<void>
}

export function createCursorWriter(options: {
  readonly dir: string
  position(): Position
  onError(error: unknown, doing: string): void
}): CursorWriter {
  let timer: NodeJS.Timeout | undefined
  let saving = Promise.resolve()

  function save(): void {
    timer = undefined
    const position = options.position()
    saving = saving
      .then(() => replaceCursor(options.dir, position))
      .catch((error) => options.onError(error, "writing the journal's cursor"))
  }

  return {
    schedule() {
      timer ??= setTimeout(save, SAVE_INTERVAL_MS).unref()
    },
    close() {
      clearTimeout(timer)
      save()
      return saving
    },
  }
}

/** Replaces the file as a whole: a reader sees the old position or the new one. */
async function replaceCursor(dir: string, position: Position): Promise<void> {
  const draft = join(dir, `${FILE}.new`)
  await writeFile(draft, `${JSON.stringify(position)}\n`, { mode: 0o600 })
  await rename(draft, join(dir, FILE))
}
