import { CsvReader, type CsvRecord } from "../../kit/csv.ts"
import { FileError } from "../../kit/file-error.ts"
import { Columns } from "./_columns.ts"
import { findDateOrder } from "./_day.ts"
import type { BillFormat } from "./_format.ts"
import { findDecimalMark } from "./_number.ts"
import type { Notation } from "./_row.ts"
import { BillFileError } from "./bill-file-error.ts"

const DELIMITERS = [",", ";", "\t", "|"]
/** The names of the columns are among the first records. */
const MAX_PREAMBLE = 30

/** What the beginning of a file shows. */
export interface Head {
  readonly format: BillFormat
  readonly delimiter: string
  readonly columns: Columns
  /** The records above the names of the columns. */
  readonly preamble: readonly CsvRecord[]
  readonly notation: Notation
}

/**
 * Finds the separator, the names of the columns and the format of a file by its beginning: the first of the formats whose
 * columns are in one record.
 *
 * @param isWhole whether `text` is the whole file
 * @throws BillFileError if no record has the columns of a format
 */
export function readHead(text: string, isWhole: boolean, formats: readonly BillFormat[]): Head {
  const readings = DELIMITERS.map((delimiter) => ({ delimiter, records: readRecords(text, delimiter, isWhole) }))
  for (const format of formats) {
    for (const { delimiter, records } of readings) {
      for (const [at, { cells }] of records.slice(0, MAX_PREAMBLE).entries()) {
        const columns = new Columns(cells)
        if (!format.required.every((keys) => columns.find(...keys) !== undefined)) continue
        const notation = findNotation(records.slice(at + 1), columns, format, delimiter)
        return { format, delimiter, columns, preamble: records.slice(0, at), notation }
      }
    }
  }
  throw unrecognized(
    formats,
    readings.map(({ records }) => records[0]?.cells ?? []),
  )
}

/** Returns the complete records of the beginning; with the wrong separator, those up to the first that cannot be read. */
function readRecords(text: string, delimiter: string, isWhole: boolean): readonly CsvRecord[] {
  const records: CsvRecord[] = []
  try {
    for (const record of new CsvReader(delimiter).read(text, isWhole)) records.push(record)
  } catch (error) {
    if (!(error instanceof FileError)) throw error
  }
  return records
}

/** A number or date that can be read one way only shows how all of the file are written. */
function findNotation(rows: readonly CsvRecord[], columns: Columns, format: BillFormat, delimiter: string): Notation {
  const amounts = columns.keys.flatMap((key, at) => (format.isAmount(key, at) ? [at] : []))
  const numbers = rows.flatMap(({ cells }) => amounts.map((at) => cells[at]?.trim() ?? ""))
  const decimalMark = firstOf(numbers, findDecimalMark) ?? (delimiter === ";" ? "," : ".")
  const cells = rows.flatMap((row) => row.cells)
  return { decimalMark, dateOrder: firstOf(cells, (cell) => findDateOrder(cell.trim())) ?? format.dateOrder }
}

function firstOf<T>(texts: readonly string[], find: (text: string) => T | undefined): T | undefined {
  for (const text of texts) {
    const found = find(text)
    if (found !== undefined) return found
  }
  return undefined
}

function unrecognized(formats: readonly BillFormat[], firsts: readonly (readonly string[])[]): BillFileError {
  const longest = firsts.reduce((a, b) => (b.length > a.length ? b : a), [])
  if (longest.length === 0) return new BillFileError("The file is empty.")
  const columns = new Columns(longest)
  const [only] = formats
  const missing =
    formats.length === 1 ? only?.required.filter((keys) => columns.find(...keys) === undefined) : undefined
  const needs = (missing ?? []).map((keys) => keys[0]).join(", ")
  const problem =
    missing === undefined
      ? "The file is not an export that is known, and it has no columns that are named like a date and a cost."
      : `The file is not ${only?.label}: it has no column ${needs}.`
  return new BillFileError(`${problem} Its columns are: ${columns}. Name the columns with --date and --cost.`)
}
