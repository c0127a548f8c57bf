import { randomUUID } from "node:crypto"
import { mkdirSync, rmSync } from "node:fs"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import type { Place } from "./place.ts"

/** The part of S3 that an archive uses. Keys are whole keys of the bucket. */
interface ObjectStore {
  put(key: string, body: Buffer): Promise<void>
  /** Uploads a file, in parts if it is large. The object exists when all of it is there. */
  upload(key: string, path: string): Promise<void>
  /** Returns the size of an object; undefined if there is none. */
  size(key: string): Promise<number | undefined>
  /** Returns the bytes of an object from `start` to before `end`. */
  read(key: string, start: number, end: number): Promise<Buffer>
  list(prefix: string): Promise<readonly { readonly key: string; readonly bytes: number }[]>
  remove(key: string): Promise<void>
  /** Aborts the uploads below a prefix that did not end, whose parts would be billed forever. */
  abortUploads(prefix: string): Promise<void>
  close(): void
}

/** Makes a bucket with a prefix the place of an archive. Files are drafted in a directory of this machine. */
export function createBucketPlace(title: string, prefix: string, store: ObjectStore, drafts: string): Place {
  const toKey = (name: string) => (prefix === "" ? name : `${prefix}/${name}`)
  mkdirSync(drafts, { recursive: true, mode: 0o700 })
  return {
    title,
    newDraft: () => join(drafts, `${randomUUID()}.parquet`),
    async publish(draft, name) {
      await store.upload(toKey(name), draft)
      await rm(draft, { force: true })
    },
    async open(name) {
      const byteLength = await store.size(toKey(name))
      if (byteLength === undefined) return undefined
      return { byteLength, read: (start, end) => store.read(toKey(name), start, end), close: async () => {} }
    },
    async list(folder) {
      const objects = await store.list(`${toKey(folder)}/`)
      return objects.map(({ key, bytes }) => ({ name: key.slice(toKey("").length), bytes }))
    },
    remove: (name) => store.remove(toKey(name)),
    async readText(name) {
      const size = await store.size(toKey(name))
      return size === undefined ? undefined : (await store.read(toKey(name), 0, size)).toString()
    },
    writeText: (name, text) => store.put(toKey(name), Buffer.from(text)),
    async cleanUp() {
      rmSync(drafts, { recursive: true, force: true })
      mkdirSync(drafts, { recursive: true, mode: 0o700 })
      await store.abortUploads(toKey("requests/"))
    },
    close: () => store.close(),
  }
}
