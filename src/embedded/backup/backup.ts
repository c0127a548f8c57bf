import { existsSync, readFileSync, statSync } from "node:fs"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { CommandError } from "../../core/errors.ts"
import { requireFreeSpace } from "./free-space.ts"
import type { BackupNote, OnProgress } from "./note.ts"
import { copyParts, scanParts } from "./parts.ts"
import { writeArchive } from "./write-archive.ts"

/** The copy from which a backup is made, inside of the data directory, where a file system may share its blocks. */
const COPY = /^backup\.new-/
/** A copy of this age was left by a process that was killed. */
const ABANDONED_MS = 24 * 3_600_000

interface BackupOptions {
  readonly dataDir: string
  readonly file: string
  readonly program: string
  readonly schemaVersion: number
  /** The current time in ms since the epoch. */
  now(): number
  /** Runs `copy` while the database does not change a file. Rejects if a file was changed nevertheless. */
  readonly whileQuiet: (copy: () => Promise<void>) => Promise<void>
  readonly onProgress: OnProgress
  readonly signal: AbortSignal
}

/**
 * Writes everything in a data directory that is not part of a running process into one file. The database stands still
 * only while its files are copied; they are compressed afterwards. Returns what the backup says about itself.
 *
 * @throws CommandError if the file exists, or there is too little space
 */
export async function backUp(options: BackupOptions): Promise<BackupNote> {
  const { dataDir, file, whileQuiet, onProgress, signal, now } = options
  requireNewFile(file)
  await removeAbandoned(dataDir, now())
  const expected = toBytes(await scanParts(dataDir))
  await requireFreeSpace(dataDir, isOnSameDisk(dataDir, file) ? 2 * expected : expected, "the backup")
  await requireFreeSpace(dirname(resolve(file)), expected, "the backup")
  const copy = await mkdtemp(join(dataDir, "backup.new-"))
  try {
    await whileQuiet(async () => copyParts(dataDir, copy, await scanParts(dataDir)))
    const note: BackupNote = {
      format: 1,
      program: options.program,
      postgres: readFileSync(join(copy, "postgres/PG_VERSION"), "utf8").trim(),
      schema_version: options.schemaVersion,
      created_at: new Date(now()).toISOString(),
      bytes: toBytes(await scanParts(copy)),
    }
    await writeArchive(file, { from: copy, note, onProgress, signal })
    return note
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

const toBytes = (parts: readonly { readonly size: number }[]): number => parts.reduce((sum, { size }) => sum + size, 0)

function requireNewFile(file: string): void {
  const directory = dirname(resolve(file))
  if (!existsSync(directory)) throw new CommandError(`cannot write ${file}: there is no directory ${directory}`)
  if (existsSync(file)) throw new CommandError(`${file} exists already: choose another name, or delete it first`)
}

const isOnSameDisk = (dataDir: string, file: string): boolean =>
  statSync(dataDir).dev === statSync(dirname(resolve(file))).dev

async function removeAbandoned(dataDir: string, nowMs: number): Promise<void> {
  for (const name of (await readdir(dataDir)).filter((each) => COPY.test(each))) {
    const path = join(dataDir, name)
    if (nowMs - statSync(path).mtimeMs > ABANDONED_MS) await rm(path, { recursive: true, force: true })
  }
}
