import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { mkdir, open } from "node:fs/promises"
import { join } from "node:path"
import { createGunzip } from "node:zlib"
import { CommandError } from "../../core/errors.ts"
import { syncDirectory } from "../sync.ts"
import { type BackupNote, NOTE, type OnProgress, parseNote, SUMS } from "./note.ts"
import { DamagedArchiveError, readTar, type StreamedEntry } from "./tar-stream.ts"

/** The checksums of a backup with a million files. */
const MAX_TEXT_BYTES = 128 * 1024 * 1024

/**
 * Reads a whole backup and compares every checksum; with `to`, also writes its files into that empty directory, synced to
 * disk. Returns what the backup says about itself.
 *
 * @throws CommandError if it cannot be read, is no backup, or is damaged
 */
export async function readArchive(
  file: string,
  { to, onProgress }: { readonly to?: string; readonly onProgress: OnProgress },
): Promise<BackupNote> {
  const input = createReadStream(file)
  const unzipped = createGunzip()
  input.once("error", (error) => unzipped.destroy(error))
  input.pipe(unzipped)
  try {
    return await readEntries(unzipped, to, onProgress)
  } catch (error) {
    throw explain(file, error)
  } finally {
    input.destroy()
  }
}

async function readEntries(
  unzipped: AsyncIterable<Buffer>,
  to: string | undefined,
  onProgress: OnProgress,
): Promise<BackupNote> {
  const sums: string[] = []
  const directories: string[] = []
  let note: BackupNote | undefined
  let isComplete = false
  let done = 0
  for await (const entry of readTar(unzipped)) {
    const { kind, path } = entry
    if (isComplete) throw new DamagedArchiveError("something follows its checksums")
    if (path === SUMS) {
      if ((await readText(entry)) !== sums.join(""))
        throw new DamagedArchiveError("its files do not match its checksums")
      isComplete = true
    } else if (!note) {
      const text = path === NOTE ? await readText(entry) : ""
      note = requireNote(text)
      sums.push(`${createHash("sha256").update(text).digest("hex")}  ${NOTE}\n`)
    } else if (kind === "directory") {
      directories.push(path)
      if (to) await mkdir(join(to, path), { mode: 0o700 })
    } else {
      // Before it is read, so that a small archive cannot fill the disk.
      if (done + entry.size > note.bytes) throw new DamagedArchiveError("its files are larger than it says")
      sums.push(`${await readFile(entry, to)}  ${path}\n`)
      done += entry.size
      onProgress(done, note.bytes)
    }
  }
  if (!isComplete || !note) throw new DamagedArchiveError("it has no checksums")
  if (to) for (const directory of ["", ...directories]) syncDirectory(join(to, directory))
  return note
}

/** Reads the content of a file, and writes it into `to`. Returns its SHA-256. */
async function readFile({ path, content }: StreamedEntry, to: string | undefined): Promise<string> {
  const hash = createHash("sha256")
  const handle = to === undefined ? undefined : await open(join(to, path), "wx", 0o600)
  try {
    for await (const piece of content) {
      hash.update(piece)
      await handle?.writeFile(piece)
    }
    await handle?.sync()
  } finally {
    await handle?.close()
  }
  return hash.digest("hex")
}

async function readText({ content, size }: StreamedEntry): Promise<string> {
  if (size > MAX_TEXT_BYTES) throw new DamagedArchiveError("its checksums are too long")
  const pieces: Buffer[] = []
  for await (const piece of content) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

function requireNote(text: string): BackupNote {
  const note = parseNote(text)
  if (!note) throw new CommandError("it was not made by majordomo-gateway backup")
  if (note.format !== 1) {
    throw new CommandError(`it was made by a newer majordomo-gateway (${note.program}): upgrade majordomo-gateway`)
  }
  return note as BackupNote
}

function explain(file: string, error: unknown): unknown {
  const { code = "", message } = error as NodeJS.ErrnoException
  if (error instanceof CommandError) return new CommandError(`cannot restore ${file}: ${message}`)
  if (code === "Z_DATA_ERROR" && /incorrect header check/.test(message)) {
    return new CommandError(`cannot restore ${file}: it was not made by majordomo-gateway backup`)
  }
  if (error instanceof DamagedArchiveError || code.startsWith("Z_")) {
    return new CommandError(`cannot restore ${file}, because the backup is damaged (${message}): use another backup`)
  }
  const isMissing = code === "ENOENT" || code === "EACCES" || code === "EISDIR"
  return isMissing ? new CommandError(`cannot read the backup ${file}: ${message}`) : error
}
