import { type Decimal, parseLongDecimal } from "../../core/decimal.ts"

/** What separates the whole part of a number from its fraction. */
export type DecimalMark = "." | ","

const PLAIN = /^-?\d+(?:\.\d+)?$/
const WITH_POINT = /^[-+]?(?:\d+|[1-9]\d{0,2}(?:,\d{3})+)?(?:\.\d*)?(?:[eE][-+]?\d{1,2})?$/
const WITH_COMMA = /^[-+]?(?:\d+|[1-9]\d{0,2}(?:\.\d{3})+)?(?:,\d*)?(?:[eE][-+]?\d{1,2})?$/

/**
 * Parses a number as exports write it: `-1234.5`, `1,234.50`, `$1.20`, `-$0.05`, `(3.10)` for -3.10, `1.2e-05`; with a decimal
 * comma `1.234,50` or `1 234,5`. Undefined for anything else.
 */
export function parseNumber(text: string, mark: DecimalMark): Decimal | undefined {
  if (mark === "." && PLAIN.test(text)) return parseLongDecimal(text)
  const bare = strip(text)
  if (!isNumber(bare, mark)) return undefined
  const digits = mark === "." ? bare.replaceAll(",", "") : bare.replaceAll(".", "").replace(",", ".")
  return parseLongDecimal(toPlain(digits))
}

/** Returns the decimal mark that a number must have been written with; undefined if it can be read both ways. */
export function findDecimalMark(text: string): DecimalMark | undefined {
  const bare = strip(text)
  const point = isNumber(bare, ".")
  return point === isNumber(bare, ",") ? undefined : point ? "." : ","
}

function isNumber(bare: string, mark: DecimalMark): boolean {
  return /\d/.test(bare) && (mark === "." ? WITH_POINT : WITH_COMMA).test(bare)
}

/** Removes dollars and the separators that are never decimal marks, and writes a negative number with a minus in front. */
function strip(text: string): string {
  const bare = text
    .replaceAll("\u2212", "-")
    .replace(/^([-+(]?)(?:US)?\$|\s*USD$/g, "$1")
    .replace(/(?<=\d)[\s'\u2019](?=\d{3})/g, "")
    .trim()
  return bare.startsWith("(") && bare.endsWith(")") ? `-${bare.slice(1, -1)}` : bare
}

/** Writes a number without plus and exponent: `1.2e-05` becomes `0.000012`. */
function toPlain(text: string): string {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e")
  const [whole = "", fraction = ""] = mantissa.replace(/^[-+]/, "").split(".")
  const sign = mantissa.startsWith("-") ? "-" : ""
  const point = whole.length + Number(exponent)
  const digits = `${"0".repeat(Math.max(0, 1 - point))}${whole}${fraction}`.padEnd(point, "0")
  const at = Math.max(1, point)
  return `${sign}${digits.slice(0, at)}${digits.length > at ? `.${digits.slice(at)}` : ""}`
}
