import { createHash, type Hash } from "node:crypto"
import { createReadStream, createWriteStream, renameSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import { CommandError } from "../../core/errors.ts"
import { BLOCK, toHeader } from "../seed/tar.ts"
import { syncDirectory } from "../sync.ts"
import { type BackupNote, NOTE, type OnProgress, SUMS } from "./note.ts"
import { scanParts } from "./parts.ts"

/** Faster than the disk on most machines; the higher levels save little. */
const LEVEL = 1

/**
 * Writes a backup of a directory that nobody changes: a compressed ustar archive whose last file has the SHA-256 of every
 * other one. The file appears under its name when all of it is on disk.
 */
export async function writeArchive(
  file: string,
  { from, note, onProgress, signal }: { from: string; note: BackupNote; onProgress: OnProgress; signal: AbortSignal },
): Promise<void> {
  const draft = `${file}.${process.pid}.part`
  const tar = Readable.from(toArchive(from, note, onProgress), { objectMode: false })
  const output = createWriteStream(draft, { flags: "wx", mode: 0o600, flush: true })
  try {
    await pipeline(tar, createGzip({ level: LEVEL }), output, { signal })
    renameSync(draft, file)
    syncDirectory(dirname(file))
  } catch (error) {
    // A stream that was ended while it opens its file would create the file later.
    if (!output.closed) await new Promise<void>((resolve) => output.once("close", () => resolve()))
    rmSync(draft, { force: true })
    if (signal.aborted) throw new CommandError(`the backup was interrupted: ${file} was not written`)
    throw error
  }
}

async function* toArchive(from: string, note: BackupNote, onProgress: OnProgress): AsyncGenerator<Buffer> {
  const sums: string[] = []
  const addSum = (path: string, hash: Hash) => sums.push(`${hash.digest("hex")}  ${path}\n`)
  const text = `${JSON.stringify(note, null, 2)}\n`
  yield toFile(NOTE, text)
  addSum(NOTE, createHash("sha256").update(text))
  let done = 0
  for (const { kind, path, size } of await scanParts(from)) {
    yield toHeader({ kind, path }, size)
    if (kind === "directory") continue
    const hash = createHash("sha256")
    for await (const piece of createReadStream(join(from, path), {
      highWaterMark: 256 * 1024,
    }) as AsyncIterable<Buffer>) {
      hash.update(piece)
      done += piece.length
      onProgress(done, note.bytes)
      yield piece
    }
    yield toPadding(size)
    addSum(path, hash)
  }
  yield toFile(SUMS, sums.join(""))
  yield Buffer.alloc(2 * BLOCK)
}

const toPadding = (size: number): Buffer => Buffer.alloc(-size & (BLOCK - 1))

function toFile(path: string, text: string): Buffer {
  const data = Buffer.from(text)
  return Buffer.concat([toHeader({ kind: "file", path }, data.length), data, toPadding(data.length)])
}
