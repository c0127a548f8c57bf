import { isUtf8 } from "node:buffer"
import { appendFileSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** Damaged records are set aside here, one JSON object per line: `{"file":…,"offset":…,"reason":…,"record":…}`. */
export const DAMAGED_FILE = "damaged.jsonl"

const MAX_FILE_BYTES = 64 << 20

/** A record that is not as it was written. */
export interface DamagedRecord {
  /** Name of the segment. */
  readonly file: string
  /** Where the record begins in it. */
  readonly offset: number
  readonly reason: string
  readonly bytes: Buffer
  /** The number of records that it stands for; 1 if undefined. */
  readonly records?: number
}

/**
 * Appends the records to the `damaged.jsonl` of a directory, so that a person can look at them, and returns a sentence
 * for the log. Text is stored as `record`, anything else as `base64`. A record that is there already is not stored
 * again, because a segment may be read by several processes before it is deleted.
 */
export function setAside(dir: string, records: readonly DamagedRecord[]): string {
  const path = join(dir, DAMAGED_FILE)
  const [first] = records
  const count = records.reduce((sum, record) => sum + (record.records ?? 1), 0)
  const what = count === 1 ? "a damaged record" : `${count} damaged records`
  const where = `${what} in ${dir} (${first?.file} at byte ${first?.offset}: ${first?.reason})`
  try {
    const present = readPresent(path)
    const lines = records.map(toLine).filter((line) => !present.includes(line))
    if (present.length + lines.join("").length > MAX_FILE_BYTES) return `found ${where}; ${path} is full`
    if (lines.length > 0) appendFileSync(path, lines.join(""), { mode: 0o600 })
    return `set aside ${where} in ${path}`
  } catch (error) {
    return `found ${where}; ${path} cannot be written: ${(error as NodeJS.ErrnoException).code ?? "unknown error"}`
  }
}

function toLine({ file, offset, reason, bytes, records }: DamagedRecord): string {
  const content = isUtf8(bytes) ? { record: bytes.toString() } : { base64: bytes.toString("base64") }
  return `${JSON.stringify({ file, offset, reason, records, ...content })}\n`
}

function readPresent(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return ""
    throw error
  }
}
