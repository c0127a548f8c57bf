import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { onTestFinished } from "vitest"
import type { Settings } from "../../src/config/settings.ts"
import { GATEWAY_ACTOR } from "../../src/core/actor.ts"
import type { Database } from "../../src/database/_database.ts"
import { archive } from "../../src/operations/archive/run.ts"
import { verifyArchive } from "../../src/operations/archive/verify.ts"

/** The clock of the tests: all days before it are finished. */
export const NOW = Date.parse("2026-11-29T12:00:00Z")

export interface Folder {
  readonly path: string
  remove(): void
}

export function createFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), "mdm-archive-"))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** Creates a folder for the test that runs. */
export function makeFolder(): string {
  const folder = createFolder()
  onTestFinished(folder.remove)
  return folder.path
}

interface ArchiveOptions {
  readonly to: string
  readonly before?: string
  readonly bodies?: boolean
  readonly beforePrune?: boolean
  readonly rowsPerFile?: number
  readonly now?: number
  readonly s3?: Partial<Settings["s3"]>
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number) => void
}

/** Where files for S3 are drafted. */
const DRAFTS = join(tmpdir(), `mdm-archive-drafts-${process.pid}`)
const NO_S3 = { region: "us-east-1", endpoint: undefined, accessKeyId: undefined, secretAccessKey: undefined }

function toContext(
  database: Database,
  { to, bodies = false, beforePrune = false, s3 = {}, now = NOW, ...more }: ArchiveOptions,
) {
  const settings = {
    archive: { to, bodies, beforePrune, daily: true, settleMs: 2 * 3_600_000 },
    storage: { dataDir: to.startsWith("s3:") ? DRAFTS : to },
    s3: { ...NO_S3, ...s3 },
  } as unknown as Settings
  const { signal = new AbortController().signal, onProgress = () => {}, rowsPerFile } = more
  const log: string[] = []
  const onLog = (line: string) => void log.push(line)
  const parts = { database, settings, now: () => now, log: onLog, onProgress, signal, actor: GATEWAY_ACTOR }
  return { ...parts, ...(rowsPerFile !== undefined && { rowsPerFile }) }
}

/** Writes the archive of a database. */
export function run(database: Database, options: ArchiveOptions) {
  return archive(toContext(database, options), { before: options.before })
}

export function verify(database: Database, options: ArchiveOptions) {
  return verifyArchive(toContext(database, options), { since: undefined })
}

/** Returns the files of a directory, without those that readers leave out. */
export function listFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((path) => !/(^|\/)[._]/.test(path))
    .sort()
}
