import { existsSync, readdirSync, renameSync, rmSync } from "node:fs"
import { mkdir, mkdtemp, open, readFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { brotliDecompress } from "node:zlib"
import { CommandError } from "../core/errors.ts"
import { startEngine } from "./engine.ts"
import { parseTar, type TarEntry } from "./seed/tar.ts"
import { syncDirectory } from "./sync.ts"

/** The name of the cluster's directory inside the data directory. */
const CLUSTER = "postgres"
const UNFINISHED = /^(postgres|restore)\.new-/
/** Exists in the data directory while `restore` moves files: they belong partly to one database, partly to another. */
export const RESTORING = "restoring"
/** Each file needs a sync. The file system combines those that run at the same time. */
const FILES_AT_ONCE = 16

/** Returns whether a data directory has an embedded database. */
export function hasCluster(dataDir: string): boolean {
  return existsSync(join(dataDir, CLUSTER, "PG_VERSION"))
}

/**
 * Returns the directory of the cluster. Creates the cluster first if there is none: from the seed archive in about 1 s,
 * else by initdb in 5 to 11 s. The cluster is built under another name and renamed when all of it is on disk, so a kill
 * at any moment never leaves an incomplete cluster.
 */
export async function prepareCluster(options: {
  readonly dataDir: string
  readonly seedFile: string | undefined
  readonly workerUrl: URL
  readonly log: (line: string) => void
}): Promise<string> {
  const { dataDir, seedFile, workerUrl, log } = options
  const cluster = join(dataDir, CLUSTER)
  if (existsSync(join(dataDir, RESTORING))) {
    throw new CommandError(
      `a restore into ${dataDir} was interrupted: run majordomo-gateway restore FILE --force again; the earlier data are in the newest directory ${join(dataDir, "replaced-…")}`,
    )
  }
  for (const name of readdirSync(dataDir)) {
    if (UNFINISHED.test(name)) rmSync(join(dataDir, name), { recursive: true, force: true })
  }
  if (hasCluster(dataDir)) return cluster

  const unfinished = await mkdtemp(join(dataDir, "postgres.new-"))
  if (seedFile) await unpack(seedFile, unfinished)
  else {
    log("creating the embedded database without its seed archive: this takes several seconds")
    const engine = await startEngine(workerUrl, unfinished)
    await engine.close()
  }
  renameSync(unfinished, cluster)
  syncDirectory(dataDir)
  return cluster
}

async function unpack(seedFile: string, directory: string): Promise<void> {
  const entries = [...parseTar(await promisify(brotliDecompress)(await readFile(seedFile)))]
  const directories = entries.filter((entry) => entry.kind === "directory")
  for (const { path } of directories) await mkdir(join(directory, path), { mode: 0o700, recursive: true })
  const files = entries.filter((entry) => entry.kind === "file")
  const next = files.values()
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, () => writeAll(next, directory)))
  for (const { path } of directories) syncDirectory(join(directory, path))
  syncDirectory(directory)
}

async function writeAll(files: Iterable<TarEntry & { kind: "file" }>, directory: string): Promise<void> {
  for (const { path, data } of files) {
    const file = await open(join(directory, path), "wx", 0o600)
    try {
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
  }
}
