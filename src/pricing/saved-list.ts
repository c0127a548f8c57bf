import { randomUUID } from "node:crypto"
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import type { PriceBookOptions } from "./options.ts"

/**
 * The copy of the list on disk: the body of the answer, and the tag by which a server recognizes that it has not
 * changed.
 */
interface SavedList {
  readonly url: string
  readonly etag?: string | undefined
  readonly body: unknown
}

/** Writes the copy through a temporary file, so that it is always complete. A failure is logged. */
export async function saveList(
  { cacheFile, log }: Pick<PriceBookOptions, "cacheFile" | "log">,
  list: SavedList,
): Promise<void> {
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
 * Reads the copy; undefined if there is none.
 * @throws Error if the file cannot be read or is not JSON
 */
export async function readSavedList(cacheFile: string): Promise<Partial<SavedList> | undefined> {
  try {
    return JSON.parse(await readFile(cacheFile, "utf8")) as Partial<SavedList>
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw error
  }
}
