import { mkdirSync, renameSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { join } from "node:path"
import { CommandError } from "../../core/errors.ts"
import { acquireLock } from "../../kit/lock.ts"
import { RESTORING } from "../cluster.ts"
import { prepareDataDirectory, requireAccess } from "../data-directory.ts"
import { findListeningSocket, readEndpoint } from "../endpoint.ts"
import { syncDirectory } from "../sync.ts"
import { requireFreeSpace } from "./free-space.ts"
import type { BackupNote, OnProgress } from "./note.ts"
import { listParts } from "./parts.ts"
import { readArchive } from "./read-archive.ts"

interface RestoreOptions<T> {
  readonly dataDir: string
  readonly file: string
  /** Whether a data directory that is in use already is replaced. */
  readonly force: boolean
  /** The current time in ms since the epoch. */
  now(): number
  /** Opens the restored data directory under another name, before anything is replaced. Throws if it cannot be used. */
  readonly check: (dataDir: string, note: BackupNote) => Promise<T>
  readonly onProgress: OnProgress
}

interface Restored<T> {
  readonly note: BackupNote
  /** What `check` returned. */
  readonly checked: T
  /** The directory to which the earlier data were moved; undefined if there were none. */
  readonly replaced: string | undefined
}

/**
 * Replaces the content of a data directory by that of a backup. The backup is read to its end, unpacked beside the
 * earlier data and opened once before those are moved away.
 *
 * @throws CommandError if the backup is damaged, the directory is in use, or has data and `force` is not set
 */
export async function restore<T>(options: RestoreOptions<T>): Promise<Restored<T>> {
  const { dataDir, file, force, check, onProgress } = options
  const { bytes } = await readArchive(file, { onProgress })
  requireAccess(dataDir)
  await requireUnused(dataDir, force)
  prepareDataDirectory(dataDir)
  const lock = await acquireLock(dataDir)
  if (!lock) throw toHeldError(dataDir)
  let unpacked: string | undefined
  try {
    await requireUnused(dataDir, force)
    await rm(join(dataDir, RESTORING), { recursive: true, force: true })
    await requireFreeSpace(dataDir, bytes, "the restored database")
    unpacked = await mkdtemp(join(dataDir, "restore.new-"))
    const note = await readArchive(file, { to: unpacked, onProgress })
    const checked = await check(unpacked, note)
    return { note, checked, replaced: await swap(dataDir, unpacked, options.now()) }
  } finally {
    if (unpacked) await rm(unpacked, { recursive: true, force: true })
    await lock.release()
  }
}

async function requireUnused(dataDir: string, force: boolean): Promise<void> {
  if (await findListeningSocket(dataDir)) throw toHeldError(dataDir)
  if (force || (await listParts(dataDir)).length === 0) return
  throw new CommandError(
    `${dataDir} contains data already: restore with --force moves them into a directory inside of it, or set storage.data_dir to another directory`,
  )
}

function toHeldError(dataDir: string): CommandError {
  const owner = readEndpoint(dataDir)
  const who = owner ? ` (\`${owner.command}\`, process ${owner.pid})` : ""
  return new CommandError(
    `the data directory ${dataDir} is in use by another process${who}: stop it, then restore again`,
  )
}

/**
 * Moves the earlier data into a directory of their own and the unpacked ones to their place. While both are mixed, the
 * directory RESTORING exists, and no program opens the database.
 */
async function swap(dataDir: string, unpacked: string, nowMs: number): Promise<string | undefined> {
  const [earlier, restored] = [await listParts(dataDir), await listParts(unpacked)]
  const restoring = join(dataDir, RESTORING)
  renameSync(unpacked, restoring)
  syncDirectory(dataDir)
  const replaced = join(dataDir, `replaced-${new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, "")}`)
  if (earlier.length > 0) {
    mkdirSync(replaced, { mode: 0o700 })
    for (const name of earlier) renameSync(join(dataDir, name), join(replaced, name))
    syncDirectory(replaced)
  }
  for (const name of restored) renameSync(join(restoring, name), join(dataDir, name))
  syncDirectory(dataDir)
  await rm(restoring, { recursive: true, force: true })
  syncDirectory(dataDir)
  return earlier.length > 0 ? replaced : undefined
}
