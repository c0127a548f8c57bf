import { type Dirent, existsSync } from "node:fs"
import { copyFile, constants as fsConstants, mkdir, readdir, stat } from "node:fs/promises"
import { join } from "node:path"

/**
 * What a backup contains: the cluster, the journals with the rows that are not in the database yet, the bodies that wait
 * for S3, and the price lists. The rest of a data directory belongs to a running process (locks, sockets, spill files).
 */
const DIRECTORIES = ["postgres", "journal", "bodies"] as const
const FILES = /^(price-history\.jsonl|[a-z-]+-prices\.json)$/

/** One directory or file of a data directory. The path is relative and uses forward slashes. */
interface Part {
  readonly kind: "directory" | "file"
  readonly path: string
  /** In bytes; 0 for a directory. */
  readonly size: number
}

/** Returns the names at the top of a data directory that belong to a backup. */
export async function listParts(dataDir: string): Promise<string[]> {
  if (!existsSync(dataDir)) return []
  const names = await readdir(dataDir)
  return names.filter((name) => (DIRECTORIES as readonly string[]).includes(name) || FILES.test(name)).sort()
}

/**
 * Returns everything in a data directory that belongs to a backup; a directory stands before its content. The segments of
 * a journal come before its cursor, so that the copy of the cursor never points to a segment that was not copied.
 */
export async function scanParts(dataDir: string): Promise<Part[]> {
  const parts: Part[] = []
  const visit = async (path: string, kind: Part["kind"]): Promise<void> => {
    const full = join(dataDir, path)
    if (kind === "file") {
      const found = await stat(full).catch(toUndefined)
      if (found) parts.push({ kind, path, size: found.size })
      return
    }
    parts.push({ kind, path, size: 0 })
    const entries = (await readdir(full, { withFileTypes: true }).catch(toUndefined)) ?? []
    for (const entry of entries.sort(bySegments)) {
      const kindOfEntry = toKind(entry)
      if (kindOfEntry) await visit(`${path}/${entry.name}`, kindOfEntry)
    }
  }
  for (const name of await listParts(dataDir)) {
    const found = await stat(join(dataDir, name)).catch(toUndefined)
    if (found) await visit(name, found.isDirectory() ? "directory" : "file")
  }
  return parts
}

/**
 * Copies the parts of a data directory into an empty directory. The file system shares the blocks if it can. A file of a
 * journal or a spool that disappears meanwhile was stored elsewhere first, so it is left out.
 */
export async function copyParts(from: string, to: string, parts: readonly Part[]): Promise<void> {
  for (const { kind, path } of parts) {
    const target = join(to, path)
    if (kind === "directory") await mkdir(target, { mode: 0o700 })
    else {
      const copying = copyFile(join(from, path), target, fsConstants.COPYFILE_FICLONE)
      await (path.startsWith("postgres/") ? copying : copying.catch(toUndefined))
    }
  }
}

const bySegments = (one: Dirent, other: Dirent): number =>
  Number(other.name.endsWith(".jsonl")) - Number(one.name.endsWith(".jsonl")) || (one.name < other.name ? -1 : 1)

function toKind(entry: Dirent): Part["kind"] | undefined {
  if (entry.isDirectory()) return "directory"
  return entry.isFile() ? "file" : undefined
}

/** Returns undefined for a file that does not exist. */
function toUndefined(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error
}
