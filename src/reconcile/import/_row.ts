import type { Decimal } from "../../core/decimal.ts"
import type { CsvRecord } from "../../kit/csv.ts"
import type { Columns } from "./_columns.ts"
import { type DateOrder, isMonth, parseTime, toDayText } from "./_day.ts"
import { type DecimalMark, parseNumber } from "./_number.ts"
import { BillFileError } from "./bill-file-error.ts"

const DAY_MS = 86_400_000
const MAX_TIMES = 10_000

interface Time {
  readonly ms: number
  readonly day: string
}

/** How a file writes its numbers and dates. */
export interface Notation {
  readonly decimalMark: DecimalMark
  readonly dateOrder: DateOrder | undefined
}

/** One row of a file. Its cells are read by the keys of columns; the first of several that is not empty counts. */
export class Row {
  readonly columns: Columns
  private readonly notation: Notation
  private record: CsvRecord = { cells: [], line: 0 }
  /** The times that were read, by their text: most rows have one that another row has. */
  private readonly times = new Map<string, Time>()

  constructor(columns: Columns, notation: Notation) {
    this.columns = columns
    this.notation = notation
  }

  /** Moves to another record of the file. */
  set(record: CsvRecord): void {
    this.record = record
  }

  get line(): number {
    return this.record.line
  }

  /** Returns the cell in a column; an empty text if the row is shorter. */
  cell(at: number): string {
    return this.record.cells[at]?.trim() ?? ""
  }

  text(...keys: readonly string[]): string | undefined {
    const at = this.find(keys)
    return at === undefined ? undefined : this.cell(at)
  }

  number(...keys: readonly string[]): Decimal | undefined {
    const at = this.find(keys)
    return at === undefined ? undefined : this.numberAt(at)
  }

  /** Returns the number in a column; undefined if the cell is empty or a dash. */
  numberAt(at: number): Decimal | undefined {
    const text = this.cell(at)
    if (text === "" || text === "-") return undefined
    const value = parseNumber(text, this.notation.decimalMark)
    if (value !== undefined) return value
    const mark = this.notation.decimalMark === "." ? "point" : "comma"
    throw this.wrong(at, `is not a number with a decimal ${mark}`)
  }

  /**
   * Returns the UTC day on which the row begins.
   * @throws BillFileError if the cell is empty or not a date
   */
  day(...keys: readonly string[]): string {
    return this.time(keys).day
  }

  /** Returns the UTC day in a column. */
  dayAt(at: number): string {
    return this.timeAt(at).day
  }

  /**
   * Returns the UTC day of usage from one time to another.
   * @throws BillFileError if that is more than a day
   */
  dayOfPeriod(start: readonly string[], end: readonly string[]): string {
    const from = this.time(start)
    const until = this.find(end) === undefined ? from : this.time(end)
    if (until.ms - from.ms <= DAY_MS) return from.day
    throw new BillFileError(
      `Line ${this.line}: the row is about the time from ${from.day} to ${until.day}. A bill is compared ` +
        "day by day. Export it with one row per day.",
    )
  }

  private time(keys: readonly string[]): Time {
    return this.timeAt(this.find(keys) ?? this.columns.find(...keys) ?? 0)
  }

  private timeAt(at: number): Time {
    const text = this.cell(at)
    const known = this.times.get(text)
    if (known !== undefined) return known
    const ms = parseTime(text, this.notation.dateOrder)
    if (ms === undefined) throw this.wrongDate(at, text)
    const time = { ms, day: toDayText(ms) }
    if (this.times.size < MAX_TIMES) this.times.set(text, time)
    return time
  }

  private wrongDate(at: number, text: string): BillFileError {
    if (isMonth(text)) {
      return this.wrong(at, "is a month. A bill is compared day by day: export it with one row per day")
    }
    if (/^\d{1,2}\/\d{1,2}\/\d{4}/.test(text)) {
      return this.wrong(at, "does not say whether the month or the day comes first. Write dates as 2026-11-01")
    }
    return this.wrong(at, "is not a date in UTC, such as 2026-11-01")
  }

  /** Returns an error about one cell. `problem` continues the sentence that begins with the cell. */
  wrong(at: number, problem: string): BillFileError {
    const text = this.cell(at)
    const cell = text === "" ? "the empty cell" : JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
    return new BillFileError(`Line ${this.line}, column ${this.columns.names[at]}: ${cell} ${problem}.`)
  }

  private find(keys: readonly string[]): number | undefined {
    for (const key of keys) {
      const at = this.columns.find(key)
      if (at !== undefined && this.cell(at) !== "") return at
    }
    return undefined
  }
}
