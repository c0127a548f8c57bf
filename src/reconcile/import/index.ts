import type { Bill } from "../../core/reconciliation.ts"
import { CsvReader } from "../../kit/csv.ts"
import { FileError } from "../../kit/file-error.ts"
import { decodeFile } from "../../kit/text-file.ts"
import { nextDay } from "./_day.ts"
import type { BillFormat } from "./_format.ts"
import { type Head, readHead } from "./_head.ts"
import { BillLines } from "./_lines.ts"
import { Row } from "./_row.ts"
import { BillFileError } from "./bill-file-error.ts"
import { createGeneric, type NamedColumns } from "./formats/generic.ts"
import { FORMATS } from "./formats/index.ts"

/** The kinds of files that can be named; without a name, the columns of the file decide. */
const BILL_FORMATS = ["auto", ...(Object.keys(FORMATS) as (keyof typeof FORMATS)[]), "generic"] as const

/** How much of a file is looked at to find out how it is written, in UTF-16 units. */
const HEAD_SIZE = 256 * 1024

export interface BillFileOptions {
  /** The provider whose bill it is, as the gateway names it. */
  readonly provider: string
  readonly format?: (typeof BILL_FORMATS)[number]
  /** The columns of a file that is not recognized, or whose columns have other names. */
  readonly columns?: NamedColumns
  /** The US dollars of one unit of the file's currency, as a decimal. Needed if the file is not in US dollars. */
  readonly rate?: string
  /** Returns the current time in milliseconds. */
  readonly now?: () => number
}

/**
 * Reads a provider's bill from a CSV file. The rows are added up while they arrive, so the memory depends on the number of days,
 * models and keys, and not on the size of the file. Rows about other services are left out, and a note counts them.
 *
 * @throws BillFileError if the file cannot be read, with the line and the column of a wrong cell
 */
export async function readBillFile(source: AsyncIterable<Uint8Array>, options: BillFileOptions): Promise<Bill> {
  const { provider, rate, now = Date.now } = options
  const lines = new BillLines()
  const format = await readRows(decodeFile(source), findFormats(options), provider, lines).catch((error: unknown) => {
    throw error instanceof FileError ? new BillFileError(error.message) : error
  })
  const billed = lines.toLines(rate)
  const last = billed.at(-1)
  if (billed[0] === undefined || last === undefined) throw noLines(format, provider, lines)
  return {
    provider,
    account: lines.account,
    since: billed[0].day,
    until: nextDay(last.day),
    source: "import",
    lines: billed,
    fetchedAt: new Date(now()).toISOString(),
    notes: toNotes(format, lines),
  }
}

async function readRows(
  pieces: AsyncGenerator<string>,
  formats: readonly BillFormat[],
  provider: string,
  lines: BillLines,
): Promise<BillFormat> {
  try {
    const { head, text, isWhole } = await readStart(pieces, formats)
    const read = head.format.open({ provider, columns: head.columns, preamble: head.preamble, lines })
    const row = new Row(head.columns, head.notation)
    const reader = new CsvReader(head.delimiter)
    /** The preamble and the names of the columns. */
    let above = head.preamble.length + 1
    const readPiece = (piece: string, isLast: boolean) => {
      for (const record of reader.read(piece, isLast)) {
        if (above-- > 0) continue
        row.set(record)
        read(row)
      }
    }
    readPiece(text, isWhole)
    for await (const piece of pieces) readPiece(piece, false)
    if (!isWhole) readPiece("", true)
    return head.format
  } finally {
    await pieces.return(undefined)
  }
}

/** Waits for the beginning of the file, which is the same whatever pieces it arrives in. */
async function readStart(
  pieces: AsyncIterator<string>,
  formats: readonly BillFormat[],
): Promise<{ readonly head: Head; readonly text: string; readonly isWhole: boolean }> {
  let text = ""
  let isWhole = false
  while (!isWhole && text.length <= HEAD_SIZE) {
    const { done, value } = await pieces.next()
    if (done) isWhole = true
    else text += value
  }
  return { head: readHead(text.slice(0, HEAD_SIZE), isWhole && text.length <= HEAD_SIZE, formats), text, isWhole }
}

function findFormats({ format = "auto", columns = {} }: BillFileOptions): readonly BillFormat[] {
  const isNamed = Object.values(columns).some((name) => name !== undefined)
  if (format === "generic" || (format === "auto" && isNamed)) return [createGeneric(columns)]
  if (isNamed) {
    throw new BillFileError(
      `The columns of the format ${format} are known. Leave out the format, or the names of the columns.`,
    )
  }
  return format === "auto" ? [...Object.values(FORMATS).flat(), createGeneric({})] : FORMATS[format]
}

function toNotes({ label, note, skips }: BillFormat, { skipped, skippedServices }: BillLines): readonly string[] {
  const notes = [`The bill was read from ${label}.`]
  if (note !== undefined) notes.push(note)
  if (skipped > 0) {
    const count = `${skipped} ${skips ?? "row"}${skipped === 1 ? "" : "s"}`
    notes.push(`Left out ${count} about other services: ${list(skippedServices)}.`)
  }
  return notes
}

function noLines({ label }: BillFormat, provider: string, { skipped, skippedServices }: BillLines): BillFileError {
  if (skipped === 0) return new BillFileError(`The file is ${label}, but it has no rows with an amount.`)
  return new BillFileError(
    `The file is ${label}, but nothing in it is about the models of ${provider}. Its services are: ${list(skippedServices)}.`,
  )
}

function list(names: readonly string[]): string {
  return names.length > 5 ? `${names.slice(0, 5).join(", ")} and others` : names.join(", ")
}
