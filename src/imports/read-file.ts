import { CsvReader } from "../kit/csv.ts"
import { FileError } from "../kit/file-error.ts"
import { isRecord } from "../kit/json/is-record.ts"
import { JsonLineReader, JsonObjectReader, type ObjectText } from "../kit/json/objects.ts"
import { decodeFile } from "../kit/text-file.ts"
import { Fields } from "./fields.ts"

/** A record of a file with the line on which it begins; `problem`: it is not readable, and why. */
export type FileRecord =
  | { readonly line: number; readonly fields: Fields }
  | { readonly line: number; readonly problem: string }

/** The longest records, in UTF-16 units. Exports can contain the bodies of requests. */
const MAX_CSV_RECORD = 8 * 1024 * 1024
const MAX_JSON_RECORD = 64 * 1024 * 1024
/** How much is read to see the first line. */
const MAX_HEAD = MAX_JSON_RECORD

/**
 * Reads the records of a file one after the other: comma-separated values with a line of names, JSON lines, a JSON array, or a page of
 * an API whose records are in `data`. The file can be compressed with gzip.
 *
 * @throws FileError if the file is of another kind, or damaged
 */
export async function* readRecords(source: AsyncIterable<Uint8Array>): AsyncGenerator<FileRecord> {
  const pieces = decodeFile(source)
  try {
    const { head, isWhole } = await readHead(pieces)
    const read = openReader(head)
    yield* read(head, isWhole)
    if (isWhole) return
    for await (const piece of pieces) yield* read(piece, false)
    yield* read("", true)
  } finally {
    await pieces.return(undefined)
  }
}

type ReadPiece = (piece: string, isLast: boolean) => Iterable<FileRecord>

/** Waits for the first line. */
async function readHead(pieces: AsyncIterator<string>): Promise<{ readonly head: string; readonly isWhole: boolean }> {
  let head = ""
  while (!head.trimStart().includes("\n") && head.length < MAX_HEAD) {
    const { done, value } = await pieces.next()
    if (done) return { head, isWhole: true }
    head += value
    // An array may be one long line, and needs no more to be recognized.
    if (head.trimStart().startsWith("[")) break
  }
  return { head, isWhole: false }
}

function openReader(head: string): ReadPiece {
  const start = head.trimStart()
  if (start === "") throw new FileError("The file is empty.")
  if (start.startsWith("[")) return openDocument()
  if (!start.startsWith("{")) return openCsv(start.split("\n", 1)[0]!)
  return parseObject(start.split("\n", 1)[0]!) === undefined ? openDocument() : openLines()
}

function openLines(): ReadPiece {
  const reader = new JsonLineReader()
  return function* (piece, isLast) {
    for (const line of reader.read(piece, isLast)) yield* toRecords(line)
  }
}

function openDocument(): ReadPiece {
  const reader = new JsonObjectReader()
  return function* (piece, isLast) {
    for (const object of reader.read(piece)) yield* toRecords(object)
    if (reader.isInside && (isLast || reader.length > MAX_JSON_RECORD)) {
      throw new FileError(
        "The JSON of the file ends within an object, or an object is too long. Export the file again.",
      )
    }
  }
}

function* toRecords({ text, line }: ObjectText): Generator<FileRecord> {
  const object = parseObject(text)
  if (object === undefined) {
    yield { line, problem: "the line is not a JSON object" }
    return
  }
  const page = object["data"] ?? object["result"]
  if (!Array.isArray(page)) yield { line, fields: new Fields(object) }
  else for (const each of page) if (isRecord(each)) yield { line, fields: new Fields(each) }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function openCsv(firstLine: string): ReadPiece {
  const delimiter = [",", ";", "\t"].reduce((best, each) =>
    countOf(firstLine, each) > countOf(firstLine, best) ? each : best,
  )
  const reader = new CsvReader(delimiter, MAX_CSV_RECORD)
  let names: readonly string[] | undefined
  return function* (piece, isLast) {
    for (const { cells, line } of reader.read(piece, isLast)) {
      if (names === undefined) names = cells.map((cell) => cell.trim())
      else if (cells.length !== names.length) {
        yield { line, problem: `the line has ${cells.length} cells, and the first line names ${names.length}` }
      } else yield { line, fields: toFields(names, cells) }
    }
  }
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1
}

function toFields(names: readonly string[], cells: readonly string[]): Fields {
  return new Fields(Object.fromEntries(names.map((name, at) => [name, cells[at]])))
}
