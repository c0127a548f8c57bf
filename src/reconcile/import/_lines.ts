import { type Decimal, formatDecimal, multiply, parseDecimal } from "../../core/decimal.ts"
import type { BillLine } from "../../core/reconciliation.ts"
import { type Amounts, type LineGroup, type LineKey, LineTable } from "../line-table.ts"
import { BillFileError } from "./bill-file-error.ts"

/** The most lines of a bill. Rows that differ only in their time of day are one line. */
const MAX_LINES = 200_000
const MAX_NAMES = 50

/** What tells the lines of a bill apart. What a file does not say is left out. */
export type FileLine = Pick<LineKey, "day" | "bucket"> & Partial<LineKey>

/** Adds up the rows of a file to the lines of a bill. Its size depends on the lines, not on the rows. */
export class BillLines {
  private readonly table = new LineTable()
  private readonly others = new Set<string>()
  private readonly accounts = new Set<string>()
  private currency: string | undefined
  /** The rows that are about other services. */
  skipped = 0

  /** Adds amounts to a line. A line without any amount is not kept. */
  add(line: FileLine, amounts: Amounts): void {
    const { quantity, listCost, cost } = amounts
    if (quantity === undefined && listCost === undefined && cost === undefined) return
    this.table.add(toKey(line), amounts)
    if (this.table.size <= MAX_LINES) return
    throw new BillFileError(
      `The file gives more than ${MAX_LINES} lines of a bill. Import fewer days at once, or export it with fewer columns.`,
    )
  }

  /** Adds requests to the lines of a day, model, tier, API key and project. */
  addRequests(group: FileLine, requests: Decimal | undefined): void {
    if (requests !== undefined) this.table.addRequests(toKey(group), requests)
  }

  /** Counts a row that is about another service. */
  skip(service: string | undefined): void {
    this.skipped++
    if (service !== undefined && this.others.size < MAX_NAMES) this.others.add(service)
  }

  /** The services of the rows that were skipped, at most 50. */
  get skippedServices(): readonly string[] {
    return [...this.others]
  }

  /** Notes the account of a row. */
  addAccount(account: string | undefined): void {
    if (account !== undefined && this.accounts.size < 2) this.accounts.add(account)
  }

  /** The account of all rows; undefined if they name none, or several. */
  get account(): string | undefined {
    return this.accounts.size === 1 ? [...this.accounts][0] : undefined
  }

  /**
   * Notes the currency of a row.
   * @throws BillFileError if another row has another one
   */
  addCurrency(text: string | undefined): void {
    if (text === undefined || text === this.currency) return
    const currency = text === "$" || text === "US$" ? "USD" : text.toUpperCase()
    if (this.currency !== undefined && this.currency !== currency) {
      throw new BillFileError(
        `The file has amounts in ${this.currency} and in ${currency}. Import one currency at a time.`,
      )
    }
    this.currency = currency
  }

  /**
   * Returns the lines in the order of their days.
   *
   * @param rate the US dollars of one unit of the file's currency, as a decimal
   * @throws BillFileError if the file is not in US dollars and there is no rate, or the other way around
   */
  toLines(rate: string | undefined): BillLine[] {
    const factor = this.toFactor(rate)
    const lines = this.table.toLines()
    if (factor === undefined) return lines
    const toUsd = (amount: string | undefined) =>
      amount === undefined ? undefined : formatDecimal(multiply(parseDecimal(amount), factor))
    return lines.map((line) => ({ ...line, listCost: toUsd(line.listCost), cost: toUsd(line.cost) }))
  }

  /** Returns the rate to US dollars; undefined if the amounts are in US dollars. */
  private toFactor(rate: string | undefined): Decimal | undefined {
    const { currency = "USD" } = this
    if (currency === "USD" && rate !== undefined) {
      throw new BillFileError("The amounts of the file are in US dollars. Leave out --rate.")
    }
    if (currency === "USD") return undefined
    if (rate === undefined) {
      throw new BillFileError(
        `The amounts of the file are in ${currency}. Bills are compared in US dollars: give the US dollars of one ${currency} with --rate, ` +
          "such as --rate 1.08, or export the file in US dollars.",
      )
    }
    return parseRate(rate)
  }
}

function parseRate(rate: string): Decimal {
  const value = /^\d+(?:\.\d{1,18})?$/.test(rate) ? parseDecimal(rate) : 0n
  if (value > 0n) return value
  throw new BillFileError(`--rate must be a positive decimal, such as 1.08, but it is ${JSON.stringify(rate)}.`)
}

function toKey({ day, model, tier, key, project, bucket, item }: FileLine): LineKey & LineGroup {
  return { day, model, tier, key, project, bucket, item }
}
