import { RecordProblem } from "../../src/imports/problem.ts"
import { readRecords } from "../../src/imports/read-file.ts"
import type { ForeignRequest } from "../../src/imports/request.ts"
import { IMPORT_SOURCES, type ImportSourceName } from "../../src/imports/sources/index.ts"

/** What a source makes of a file, one entry per record: a request, or why there is none. */
export async function readAll(
  source: ImportSourceName,
  text: string,
  pieceLength = text.length,
): Promise<(ForeignRequest | string)[]> {
  const found: (ForeignRequest | string)[] = []
  for await (const record of readRecords(toPieces(text, pieceLength))) {
    if ("problem" in record) {
      found.push(`line ${record.line}: ${record.problem}`)
      continue
    }
    try {
      const request = IMPORT_SOURCES[source].read(record.fields)
      found.push("skip" in request ? `skipped: ${request.skip}` : request)
    } catch (error) {
      if (!(error instanceof RecordProblem)) throw error
      found.push(`line ${record.line}: ${error.message}`)
    }
  }
  return found
}

export async function* toPieces(text: string, length = text.length): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += Math.max(1, length)) yield bytes.subarray(at, at + Math.max(1, length))
}

/** Writes records as CSV, with the objects among their values as JSON. */
export function toCsvText(records: readonly Readonly<Record<string, unknown>>[]): string {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))]
  const toCell = (value: unknown) => {
    const text =
      value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value)
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
  }
  return [names.join(","), ...records.map((record) => names.map((name) => toCell(record[name])).join(","))].join("\n")
}
