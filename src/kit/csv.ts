import { FileError } from "./file-error.ts"

const QUOTE = 34
const LF = 10
const CR = 13
const SPACE = 32
/** The longest record, in UTF-16 units, unless the caller expects longer ones. A longer one has a quote that is not closed. */
const MAX_RECORD = 1024 * 1024

export interface CsvRecord {
  readonly cells: readonly string[]
  /** The line on which the record begins, from 1. */
  readonly line: number
}

/**
 * Reads comma-separated values (RFC 4180) that arrive in pieces of any size. Lines end with LF, CRLF or CR. Empty lines are
 * left out.
 */
export class CsvReader {
  private readonly delimiter: number
  private readonly maxRecord: number
  /** The text that has arrived, from the start of the first record that is not complete. */
  private text = ""
  private at = 0
  private line = 1

  constructor(delimiter: string, maxRecord = MAX_RECORD) {
    this.delimiter = delimiter.charCodeAt(0)
    this.maxRecord = maxRecord
  }

  /** Yields the records that are complete. `isLast` says that no more text follows. */
  *read(piece: string, isLast: boolean): Generator<CsvRecord> {
    this.text = this.text.slice(this.at) + piece
    this.at = 0
    while (this.at < this.text.length) {
      const { line } = this
      const cells = this.readRecord(isLast)
      if (cells === undefined) {
        if (this.text.length - this.at > this.maxRecord) throw unclosedQuote(line)
        return
      }
      if (cells.length > 1 || cells[0] !== "") yield { cells, line }
    }
  }

  /** Returns the cells of the next record and moves behind it; undefined if it is not complete. */
  private readRecord(isLast: boolean): string[] | undefined {
    const { text, delimiter } = this
    const cells: string[] = []
    let at = this.at
    let { line } = this
    for (;;) {
      const start = at
      if (text.charCodeAt(at) === QUOTE) {
        const end = findClosingQuote(text, at + 1, isLast)
        if (end === undefined) {
          if (isLast) throw unclosedQuote(line)
          return undefined
        }
        const cell = text.slice(start + 1, end)
        line += countLines(cell)
        cells.push(cell.includes('"') ? cell.replaceAll('""', '"') : cell)
        at = end + 1
        while (text.charCodeAt(at) === SPACE) at++
      } else {
        at = findEnd(text, at, delimiter)
        cells.push(text.slice(start, at))
      }
      const next = text.charCodeAt(at)
      if (next === delimiter) {
        at++
        continue
      }
      if (next !== LF && next !== CR && at < text.length) throw strayQuote(line)
      // A CR at the end of a piece may be half of a CRLF.
      if (!isLast && (at === text.length || (next === CR && at + 1 === text.length))) return undefined
      this.at = at + (next === CR && text.charCodeAt(at + 1) === LF ? 2 : 1)
      this.line = line + 1
      return cells
    }
  }
}

/** Returns the index of the quote that ends a cell, or undefined if the text does not say where the cell ends. */
function findClosingQuote(text: string, from: number, isLast: boolean): number | undefined {
  let at = text.indexOf('"', from)
  while (at >= 0) {
    if (at + 1 === text.length) return isLast ? at : undefined
    if (text.charCodeAt(at + 1) !== QUOTE) return at
    at = text.indexOf('"', at + 2)
  }
  return undefined
}

function findEnd(text: string, from: number, delimiter: number): number {
  let at = from
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === delimiter || code === LF || code === CR) break
  }
  return at
}

function countLines(cell: string): number {
  let count = 0
  for (let at = cell.indexOf("\n"); at >= 0; at = cell.indexOf("\n", at + 1)) count++
  return count
}

function unclosedQuote(line: number): FileError {
  return new FileError(`Line ${line}: a cell begins with a quote that is not closed. Export the file again.`)
}

function strayQuote(line: number): FileError {
  return new FileError(
    `Line ${line}: text follows the closing quote of a cell. A quote inside a cell must be doubled. Export the file again.`,
  )
}
