import { existsSync, readdirSync, renameSync, rmSync } from "node:fs"
import { mkdir, mkdtemp, open, readFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { brotliDecompress } from "node:zlib"
import { startEngine } from "./engine.ts"
import { syncDirectory } from "./sync.ts"
import { parseTar, type TarEntry } from "./tar.ts"

/** The cluster inside the data directory. */
const CLUSTER = "postgres"
const UNFINISHED = /^postgres\.new-/
/** Each is a sync of its own; the file system joins those that run at once. */
const FILES_AT_ONCE = 16

/**
 * The directory of the cluster, made first if there is none: from the seed archive in a second, else by initdb in
 * several. It is made beside and renamed when all of it is on disk, so a kill at any moment leaves nothing half made.
 */
export async function prepareCluster(options: {
  readonly dataDir: string
  readonly seedFile: string | undefined
  readonly workerUrl: URL
  readonly log: (line: string) => void
}): Promise<string> {
  const { dataDir, seedFile, workerUrl, log } = options
  const cluster = join(dataDir, CLUSTER)
  for (const name of readdirSync(dataDir)) {
    if (UNFINISHED.test(name)) rmSync(join(dataDir, name), { recursive: true, force: true })
  }
  if (existsSync(join(cluster, "PG_VERSION"))) return cluster

  const unfinished = await mkdtemp(join(dataDir, "postgres.new-"))
  if (seedFile) await unpack(seedFile, unfinished)
  else {
    log("making the embedded database without its seed archive: this takes some seconds")
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
