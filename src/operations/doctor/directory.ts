import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import { mkdtemp, readFile, rm, rmdir, stat, statfs, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { Settings } from "../../config/settings.ts"
import { CommandError } from "../../core/errors.ts"
import { isPostgres, requireWritable } from "../../database/open.ts"
import type { Context } from "../context.ts"
import { type Finding, findingsOf } from "./finding.ts"

/** The types of network file systems, as statfs(2) returns them: NFS, CIFS, SMB2, FUSE (sshfs and others). */
const NETWORK_FILE_SYSTEMS = new Set([0x6969, 0xff534d42, 0xfe534d42, 0x65735546])
const FULL = new Set(["ENOSPC", "EDQUOT"])
/** With less free space, an operator should act. */
export const MIN_FREE_BYTES = 200 * 2 ** 20

const { ok, warning, problem } = findingsOf("data directory")

/** Checks that the data directory can be written and synced, and has space for the rows that may wait in it. */
export async function checkDirectory({ settings }: Context<"settings">): Promise<Finding[]> {
  const dir = settings.storage.dataDir
  try {
    requireWritable(dir, { create: false })
    if (!existsSync(dir)) {
      await createProbe(dir)
      return [ok(`${dir} does not exist yet; serve creates it`)]
    }
    await writeProbe(dir)
  } catch (error) {
    if (error instanceof CommandError) return [problem(error.message)]
    const { code, message } = error as NodeJS.ErrnoException
    const fix = FULL.has(code ?? "")
      ? "free some space on its disk, or set storage.data_dir to a directory on another one"
      : "let the gateway's user own the directory, or set storage.data_dir to one that it can write"
    const failed = existsSync(dir) ? "written" : "created"
    return [problem(`${dir} cannot be ${failed} (${code ?? message})`, fix)]
  }
  const findings = [
    ...(await checkSpace(dir, settings)),
    ...(await checkMode(dir)),
    ...(await checkFileSystem(dir, { isEmbedded: !isPostgres(settings.storage) })),
  ]
  return findings.length > 0 ? findings : [ok(`${dir} can be written and synced`)]
}

/** Creates and removes a directory in the nearest one that exists: a file system such as `/proc` allows neither. */
async function createProbe(dir: string): Promise<void> {
  let parent = dirname(dir)
  while (!existsSync(parent)) parent = dirname(parent)
  await rmdir(await mkdtemp(join(parent, ".doctor-")))
}

async function writeProbe(dir: string): Promise<void> {
  const probe = join(dir, `.doctor-${randomUUID()}`)
  await writeFile(probe, "probe", { flush: true, mode: 0o600 })
  const written = await readFile(probe, "utf8")
  await rm(probe)
  if (written !== "probe") throw new Error("a file does not contain what was written")
}

async function checkSpace(dir: string, { ledger }: Settings): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(dir)
  const free = bavail * bsize
  const fix = `free some space, or lower ledger.max_journal_size (now ${toMiB(ledger.maxJournalBytes)})`
  if (free < MIN_FREE_BYTES) return [problem(`${dir} has only ${toMiB(free)} free`, fix)]
  if (!ledger.journal || free > ledger.maxJournalBytes) return []
  return [warning(`${dir} has ${toMiB(free)} free: less than rows may need while the database is unavailable`, fix)]
}

async function checkMode(dir: string): Promise<Finding[]> {
  const { mode } = await stat(dir)
  if (process.platform === "win32" || (mode & 0o077) === 0) return []
  return [warning(`${dir} is open to other users of this machine`, `chmod 700 ${dir}`)]
}

async function checkFileSystem(dir: string, { isEmbedded }: { readonly isEmbedded: boolean }): Promise<Finding[]> {
  if (!NETWORK_FILE_SYSTEMS.has((await statfs(dir)).type)) return []
  const found = `${dir} is on a network file system`
  const fix = "set storage.data_dir to a local disk"
  return [isEmbedded ? problem(`${found}, where the embedded database is not safe`, fix) : warning(found, fix)]
}

function toMiB(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}
