import { randomUUID } from "node:crypto"
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
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
 * Reads the copy; undefined if there is none. A copy of an older program has no time: it is then that of the file.
 * @throws Error if the file cannot be read or is not JSON
 */
export async function readSavedList(
  cacheFile: string,
): Promise<(Partial<SavedList> & Pick<SavedList, "fetched_at">) | undefined> {
  try {
    const saved = JSON.parse(await readFile(cacheFile, "utf8")) as Partial<SavedList>
    const { fetched_at: at } = saved
    return { ...saved, fetched_at: typeof at === "number" ? at : (await stat(cacheFile)).mtimeMs }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw error
  }
}
