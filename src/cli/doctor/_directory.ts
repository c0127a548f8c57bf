import { randomUUID } from "node:crypto"
import { mkdir, readFile, rm, stat, statfs, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Settings } from "../../config/settings.ts"
import { type Finding, finder } from "./_finding.ts"

/** Numbers of file systems over a network, as statfs(2) gives them: NFS, CIFS, SMB2, FUSE (sshfs and the like). */
const NETWORK_FILE_SYSTEMS = new Set([0x6969, 0xff534d42, 0xfe534d42, 0x65735546])
const FEW_BYTES = 200 * 2 ** 20

const say = finder("data directory")

/** Whether the data directory can be written and synced, and has room for what may wait in it. */
export async function checkDirectory(settings: Settings, embedded: boolean): Promise<Finding[]> {
  const dir = settings.storage.dataDir
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const probe = join(dir, `.doctor-${randomUUID()}`)
    await writeFile(probe, "probe", { flush: true, mode: 0o600 })
    const back = await readFile(probe, "utf8")
    await rm(probe)
    if (back !== "probe") throw new Error("what was written does not come back")
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const fix = "let the gateway's user own the directory, or set storage.data_dir to one that it can write"
    return [say.problem(`${dir} cannot be written (${code ?? message})`, fix)]
  }
  const findings = [
    ...(await checkRoom(dir, settings)),
    ...(await checkOwner(dir)),
    ...(await checkKind(dir, embedded)),
  ]
  return findings.length > 0 ? findings : [say.ok(`${dir} can be written and synced`)]
}

async function checkRoom(dir: string, { ledger }: Settings): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(dir)
  const free = bavail * bsize
  const fix = `make room, or lower ledger.max_journal_size (now ${toMiB(ledger.maxJournalBytes)})`
  if (free < FEW_BYTES) return [say.problem(`${dir} has only ${toMiB(free)} free`, fix)]
  if (!ledger.journal || free > ledger.maxJournalBytes) return []
  return [say.warning(`${dir} has ${toMiB(free)} free: less than rows may take while the database is away`, fix)]
}

async function checkOwner(dir: string): Promise<Finding[]> {
  const { mode } = await stat(dir)
  if (process.platform === "win32" || (mode & 0o077) === 0) return []
  return [say.warning(`${dir} is open to other users of this machine`, `chmod 700 ${dir}`)]
}

async function checkKind(dir: string, embedded: boolean): Promise<Finding[]> {
  if (!NETWORK_FILE_SYSTEMS.has((await statfs(dir)).type)) return []
  const what = `${dir} is on a network file system`
  const fix = "set storage.data_dir to a local disk"
  return [embedded ? say.problem(`${what}, where the embedded database is not safe`, fix) : say.warning(what, fix)]
}

function toMiB(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}
