import { randomUUID } from "node:crypto"
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises"
import { dirname } from "node:path"

/** The copy of a list on disk: the body of the answer, and what a server needs to tell that it has not changed. */
interface SavedList {
  readonly url: string
  readonly etag?: string | undefined
  /** The time at which the list was fetched, in milliseconds since the epoch. */
  readonly fetched_at: number
  readonly body: unknown
}

interface SaveOptions {
  readonly cacheFile: string | undefined
  log(line: string): void
}

/** Writes the copy through a temporary file, so that it is always complete. A failure is logged. */
export async function saveList({ cacheFile, log }: SaveOptions, list: SavedList): Promise<void> {
  if (cacheFile === undefined) return
  const draft = `${cacheFile}.${randomUUID()}`
  try {
    await mkdir(dirname(cacheFile), { recursive: true, mode: 0o700 })
    await writeFile(draft, JSON.stringify(list), { mode: 0o600, flush: true })
    await rename(draft, cacheFile)
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {})
    log(`the price list could not be saved to ${cacheFile}: ${(error as NodeJS.ErrnoException).code ?? "unknown"}`)
  }
}

/**
 * Notes that the server was asked again and has the same list: the time of the file is when that was last so. Commands of
 * this machine read it. The body is not written again.
 */
export async function touchSavedList(cacheFile: string | undefined, checkedAt: number): Promise<void> {
  // Without a copy, or on a disk that is full, there is only no time to show.
  if (cacheFile !== undefined) await utimes(cacheFile, checkedAt / 1000, checkedAt / 1000).catch(() => {})
}

interface ReadList extends Partial<SavedList> {
  readonly fetched_at: number
  /** When the server was last asked for the list and had this one, in milliseconds since the epoch. */
  readonly checkedAt: number
}

/**
 * Reads the copy; undefined if there is none. A copy of an older program has no time: it is then that of the file.
 * @throws Error if the file cannot be read or is not JSON
 */
export async function readSavedList(cacheFile: string): Promise<ReadList | undefined> {
  try {
    const saved = JSON.parse(await readFile(cacheFile, "utf8")) as Partial<SavedList>
    const { fetched_at: at } = saved
    const { mtimeMs } = await stat(cacheFile)
    return { ...saved, fetched_at: typeof at === "number" ? at : mtimeMs, checkedAt: mtimeMs }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw error
  }
}
