import { randomUUID } from "node:crypto"
import { mkdirSync, rmSync } from "node:fs"
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { CommandError } from "../core/errors.ts"
import { makeDirectory } from "../kit/make-directory.ts"
import type { Place } from "./place.ts"
import type { StoredBytes } from "./read-file.ts"

/** Drafts are in the directory itself, so that publishing is a rename. Engines leave out names that begin with a dot. */
const DRAFTS = ".drafts"

/** Opens a directory, and creates it if it does not exist. @throws CommandError if that fails */
export async function openDirectory(root: string): Promise<Place> {
  const drafts = join(root, DRAFTS)
  const toPath = (name: string) => join(root, name)
  try {
    makeDirectory(drafts, 0o750)
  } catch (error) {
    throw new CommandError(`the archive cannot be written to ${root}: ${(error as Error).message}`)
  }
  return {
    title: root,
    newDraft: () => join(drafts, `${randomUUID()}.parquet`),
    async publish(draft, name) {
      const path = toPath(name)
      await mkdir(dirname(path), { recursive: true, mode: 0o750 })
      await rename(draft, path)
      await syncDirectory(dirname(path))
    },
    open: (name) => orMissing(openFile(toPath(name))),
    async list(folder) {
      const names = (await orMissing(readdir(toPath(folder)))) ?? []
      const files = names.map(async (name) => ({
        // The names of files are the same on all systems.
        name: folder === "" ? name : `${folder}/${name}`,
        bytes: (await stat(toPath(join(folder, name)))).size,
      }))
      return Promise.all(files)
    },
    remove: (name) => rm(toPath(name), { force: true }),
    readText: (name) => orMissing(readFile(toPath(name), "utf8")),
    writeText: (name, text) => writeFile(toPath(name), text, { flush: true }),
    async cleanUp() {
      rmSync(drafts, { recursive: true, force: true })
      mkdirSync(drafts, { mode: 0o750 })
    },
    close: () => {},
  }
}

/** Opens a file of this machine. */
export async function openFile(path: string): Promise<StoredBytes & { close(): Promise<void> }> {
  const file = await open(path, "r")
  const { size } = await file.stat()
  return {
    byteLength: size,
    async read(start, end) {
      const bytes = Buffer.alloc(end - start)
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
      return bytes.subarray(0, bytesRead)
    },
    close: () => file.close(),
  }
}

async function orMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return undefined
    throw error
  }
}

/** Makes the names in a directory survive a power failure. */
async function syncDirectory(path: string): Promise<void> {
  // Windows opens no directory, and writes its entries with the files.
  if (process.platform === "win32") return
  const directory = await open(path, "r")
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
