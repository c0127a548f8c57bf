import { type Decimal, parseLongDecimal } from "../../core/decimal.ts"
import { isRecord } from "../../kit/json/is-record.ts"
import { SourceError } from "./source-error.ts"

export type JsonRecord = Readonly<Record<string, unknown>>

const STRING_OR_NUMBER = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|-?\d[\d.eE+-]*/g
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,9}))?$/
/** Amounts and counts are far from these powers of ten. */
const MAX_EXPONENT = 30
const LEAST_EXPONENT = -100

/**
 * Parses JSON with each number as its text. Amounts can have more digits than a double keeps, and Node.js 20 does not
 * give a reviver the source of a number.
 * @throws SyntaxError if the text is not JSON
 */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text.replace(STRING_OR_NUMBER, (token) => (token.startsWith('"') ? token : `"${token}"`)))
}

/** Returns a text that is not empty, or undefined. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined
}

/** Returns the records of a list. `where` names the report in the error, such as `OpenAI's cost report`. */
export function recordsOf(value: unknown, where: string): readonly JsonRecord[] {
  if (!Array.isArray(value) || !value.every(isRecord)) throw unexpected(where, "a list of objects is missing")
  return value
}

/** Returns a number of the report, also from a text such as `1.29e-05`; undefined if it is missing or null. */
export function decimalOf(record: JsonRecord, name: string, where: string): Decimal | undefined {
  const value = record[name]
  if (value === undefined || value === null) return undefined
  const plain = typeof value === "string" ? toPlain(value.trim()) : undefined
  if (plain === undefined) throw unexpected(where, `"${name}" is not a number`)
  return parseLongDecimal(plain)
}

/** Returns a count of the report; 0 if it is missing or null. */
export function countOf(record: JsonRecord, name: string, where: string): Decimal {
  const count = decimalOf(record, name, where) ?? 0n
  if (count < 0n) throw unexpected(where, `"${name}" is negative`)
  return count
}

/** Returns the UTC day of an RFC 3339 time. */
export function dayOf(value: unknown, where: string): string {
  const day = textOf(value)?.slice(0, 10) ?? ""
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day)) throw unexpected(where, "a line has no valid date")
  return day
}

/** The error for an answer that has another form than its API documents. */
export function unexpected(where: string, what: string): SourceError {
  return new SourceError(
    "unexpected_answer",
    `${where} cannot be read: ${what}. The API may have changed; update the gateway, or import a CSV export with \`reconcile import\`.`,
  )
}

/** Writes a number without an exponent. Returns undefined if the text is not a number, or is too large. */
function toPlain(text: string): string | undefined {
  const match = NUMBER.exec(text)
  if (match === null) return undefined
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match
  const digits = whole + fraction
  const shift = Number(exponent)
  if (shift < LEAST_EXPONENT || /^0+$/.test(digits)) return "0"
  if (shift > MAX_EXPONENT) return undefined
  const point = whole.length + shift
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`
  const padded = digits.padEnd(point, "0")
  return `${sign}${padded.slice(0, point)}${padded.length > point ? `.${padded.slice(point)}` : ""}`
}
