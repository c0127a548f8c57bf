import { randomUUID } from "node:crypto"
import { appendFile, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { FETCHED_SOURCES, type FetchedSource } from "./row.ts"

/** One line of the file: prices of one model in one source, and since when. */
export interface HistoryEntry {
  readonly source: FetchedSource
  readonly provider: string
  readonly model: string
  /** Milliseconds since the epoch. The file has it as ISO 8601 text. */
  readonly from: number
  /** `null` if the source no longer lists the model. */
  readonly prices: unknown
}

/** The history of prices on disk: JSON lines, to which several processes may append. */
interface HistoryFile {
  /** Reads all entries. A file that has become too large is rewritten without its oldest lines. */
  read(): Promise<readonly HistoryEntry[]>
  /** Reads all entries if another process has written since the last call; otherwise none. */
  readNew(): Promise<readonly HistoryEntry[]>
  /** Appends entries with one write, and returns whether that worked. A failure is logged. */
  append(entries: readonly HistoryEntry[]): Promise<boolean>
}

/** A first list of 2,500 models takes about 0.5 MB, and a change takes 200 bytes. */
const MAX_BYTES = 8 * 1024 * 1024

export function createHistoryFile({
  file,
  log,
  maxBytes = MAX_BYTES,
}: {
  readonly file: string | undefined
  readonly maxBytes?: number
  log(line: string): void
}): HistoryFile {
  let knownSize = 0

  const read = async (): Promise<readonly HistoryEntry[]> => {
    const text = file === undefined ? "" : await readText(file, log)
    knownSize = Buffer.byteLength(text)
    const lines = text.split("\n").filter((line) => line !== "")
    const entries = lines.flatMap((line) => parseEntry(line) ?? [])
    const damaged = lines.length - entries.length
    if (damaged > 0) log(`${damaged} lines of ${file} are damaged, so changes of prices are missing in the history`)
    if (file === undefined || knownSize <= maxBytes) return entries
    const kept = newest(entries, maxBytes / 2)
    knownSize = (await rewrite(file, toText(kept), log)) ?? knownSize
    return kept
  }
  return {
    read,
    readNew: async () => {
      if (file === undefined) return []
      const size = (await stat(file).catch(() => undefined))?.size ?? 0
      return size === knownSize ? [] : read()
    },
    append: async (entries) => {
      if (file === undefined || entries.length === 0) return true
      const text = toText(entries)
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 })
        await appendFile(file, text, { mode: 0o600, flush: true })
        knownSize += Buffer.byteLength(text)
        return true
      } catch (error) {
        log(`the history of prices could not be saved to ${file}: ${codeOf(error)}`)
        return false
      }
    },
  }
}

async function readText(file: string, log: (line: string) => void): Promise<string> {
  try {
    return await readFile(file, "utf8")
  } catch (error) {
    if (codeOf(error) !== "ENOENT") log(`the history of prices in ${file} cannot be read: ${codeOf(error)}`)
    return ""
  }
}

/** Replaces the file, and returns its new size; undefined if it could not be replaced. */
async function rewrite(file: string, text: string, log: (line: string) => void): Promise<number | undefined> {
  const draft = `${file}.${randomUUID()}`
  try {
    await writeFile(draft, text, { mode: 0o600, flush: true })
    await rename(draft, file)
    return Buffer.byteLength(text)
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {})
    log(`the history of prices in ${file} could not be shortened: ${codeOf(error)}`)
    return undefined
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
  return entries.map(({ from, ...rest }) => `${JSON.stringify({ from: new Date(from), ...rest })}\n`).join("")
}

function parseEntry(line: string): HistoryEntry | undefined {
  try {
    const { from, source, provider, model, prices } = JSON.parse(line) as Record<string, unknown>
    const at = typeof from === "string" ? Date.parse(from) : Number.NaN
    const isEntry =
      FETCHED_SOURCES.includes(source as FetchedSource) && typeof provider === "string" && typeof model === "string"
    if (!isEntry || Number.isNaN(at) || prices === undefined) return undefined
    return { source: source as FetchedSource, provider, model, from: at, prices }
  } catch {
    return undefined
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "unknown"
}
