import { randomUUID } from "node:crypto"
import { appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import type { PriceChange } from "../core/price-history.ts"
import { FETCHED_SOURCES, type FetchedSource } from "./row.ts"

/** One line of the file: prices of one model in one source, and since when. */
export interface HistoryEntry extends PriceChange {
  readonly source: FetchedSource
}

/**
 * The changes of prices on disk that are not in the database: JSON lines, to which several processes may append. Without a
 * database, it is the whole history.
 */
export interface HistoryFile {
  /** Reads all entries. A file that has become too large is rewritten without its oldest lines. */
  read(): Promise<readonly HistoryEntry[]>
  /**
   * Moves the entries aside, also those that an earlier process has moved aside. `remove` deletes them; until then they
   * are part of the file.
   */
  take(): Promise<{ readonly entries: readonly HistoryEntry[]; remove(): Promise<void> }>
  /** Appends entries with one write, and returns whether that worked. A failure is logged. */
  append(entries: readonly HistoryEntry[]): Promise<boolean>
}

/** A first list of 2,500 models takes about 0.5 MB, and a change takes 200 bytes. */
const MAX_BYTES = 8 * 1024 * 1024
/** The ending of a file that was moved aside. */
const ASIDE = ".moving"

interface FileOptions {
  readonly file: string
  readonly maxBytes?: number
  log(line: string): void
}

export function createHistoryFile({ file, log, maxBytes = MAX_BYTES }: FileOptions): HistoryFile {
  const read = async (path: string) => parseEntries(path, await readText(path, log), log)
  const readAll = async (paths: readonly string[]) => (await Promise.all(paths.map(read))).flat()
  return {
    read: async () => {
      const text = await readText(file, log)
      const entries = parseEntries(file, text, log)
      const kept = Buffer.byteLength(text) <= maxBytes ? entries : newest(entries, maxBytes / 2)
      if (kept !== entries) await rewrite(file, toText(kept), log)
      return [...(await readAll(await listAside(file))), ...kept]
    },
    take: async () => {
      await rename(file, `${file}.${randomUUID()}${ASIDE}`).catch(() => {}) // usually there is no file
      const taken = await listAside(file)
      return {
        entries: await readAll(taken),
        remove: async () => {
          for (const path of taken) await rm(path, { force: true }).catch(() => {})
        },
      }
    },
    append: async (entries) => {
      if (entries.length === 0) return true
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 })
        await appendFile(file, toText(entries), { mode: 0o600, flush: true })
        return true
      } catch (error) {
        log(`the history of prices could not be saved to ${file}: ${codeOf(error)}`)
        return false
      }
    },
  }
}

async function listAside(file: string): Promise<readonly string[]> {
  const names = await readdir(dirname(file)).catch(() => [])
  return names
    .filter((name) => name.startsWith(`${basename(file)}.`) && name.endsWith(ASIDE))
    .map((name) => join(dirname(file), name))
}

async function readText(file: string, log: (line: string) => void): Promise<string> {
  try {
    return await readFile(file, "utf8")
  } catch (error) {
    if (codeOf(error) !== "ENOENT") log(`the history of prices in ${file} cannot be read: ${codeOf(error)}`)
    return ""
  }
}

async function rewrite(file: string, text: string, log: (line: string) => void): Promise<void> {
  const draft = `${file}.${randomUUID()}`
  try {
    await writeFile(draft, text, { mode: 0o600, flush: true })
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {})
    log(`the history of prices in ${file} could not be shortened: ${codeOf(error)}`)
  }
}

function newest(entries: readonly HistoryEntry[], maxBytes: number): readonly HistoryEntry[] {
  let bytes = 0
  const index = entries.findLastIndex((entry) => {
    bytes += Buffer.byteLength(toText([entry]))
    return bytes > maxBytes
  })
  return entries.slice(index + 1)
}

function toText(entries: readonly HistoryEntry[]): string {
  return entries
    .map(
      ({ from, seenAt, ...rest }) => `${JSON.stringify({ from: new Date(from), seen: new Date(seenAt), ...rest })}\n`,
    )
    .join("")
}

function parseEntries(file: string, text: string, log: (line: string) => void): readonly HistoryEntry[] {
  const lines = text.split("\n").filter((line) => line !== "")
  const entries = lines.flatMap((line) => parseEntry(line) ?? [])
  const damaged = lines.length - entries.length
  if (damaged > 0) log(`${damaged} lines of ${file} are damaged, so changes of prices are missing in the history`)
  return entries
}

/** Parses a line. Those of earlier versions do not say when the prices were seen. */
function parseEntry(line: string): HistoryEntry | undefined {
  try {
    const { from, seen = from, source, provider, model, prices } = JSON.parse(line) as Record<string, unknown>
    const [at, seenAt] = [toTime(from), toTime(seen)]
    const isEntry = isFetchedSource(source) && typeof provider === "string" && typeof model === "string"
    if (!isEntry || at === undefined || seenAt === undefined || prices === undefined) return undefined
    return { source, provider, model, from: at, seenAt, prices }
  } catch {
    return undefined
  }
}

export function isFetchedSource(source: unknown): source is FetchedSource {
  return FETCHED_SOURCES.includes(source as FetchedSource)
}

function toTime(text: unknown): number | undefined {
  const at = typeof text === "string" ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : at
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "unknown"
}
