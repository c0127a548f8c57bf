import type { CsvRecord } from "../../kit/csv.ts"
import type { Columns } from "./_columns.ts"
import type { DateOrder } from "./_day.ts"
import type { BillLines } from "./_lines.ts"
import type { Row } from "./_row.ts"

/** A file of which the columns are known. */
export interface OpenedFile {
  /** The provider whose bill the file is, as the gateway names it. */
  readonly provider: string
  readonly columns: Columns
  /** The records above the names of the columns. */
  readonly preamble: readonly CsvRecord[]
  readonly lines: BillLines
}

/** One kind of export. */
export interface BillFormat {
  /** Such as `an Azure cost export`. */
  readonly label: string
  /** The columns that a file must have: one of each group, by their keys. */
  readonly required: readonly (readonly string[])[]
  /** Returns whether a column has amounts, which show how the file writes its numbers. */
  isAmount(key: string, at: number): boolean
  /** How the export writes dates with slashes, if no date of the file shows it. */
  readonly dateOrder?: DateOrder
  /** A whole sentence about what the export cannot say. */
  readonly note?: string
  /** What is left out if it is about other services; rows if undefined. */
  readonly skips?: "column"
  /** Returns what reads one row after the other. */
  open(file: OpenedFile): (row: Row) => void
}
