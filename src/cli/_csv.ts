import { printable } from "./_text.ts"

/** Returns comma-separated values with a header line, safe to open in a spreadsheet: no cell is a formula. */
export function toCsv(fields: readonly string[], rows: readonly (readonly unknown[])[]): string {
  return [fields, ...rows].map((row) => `${row.map(toCell).join(",")}\n`).join("")
}

/**
 * Returns one cell. Text that begins like a formula gets an apostrophe in front, unless it is a plain negative number
 * (https://owasp.org/www-community/attacks/CSV_Injection). Invisible characters become U+FFFD. null and undefined give an
 * empty cell.
 */
function toCell(value: unknown): string {
  if (value === null || value === undefined) return ""
  const text = printable(String(value))
  const isFormula =
    typeof value === "string" && !/^-\d+(\.\d+)?$/.test(text) && /^[=+\-@\ufffd\uff0b\uff0d\uff1d\uff20]/.test(text)
  const safe = isFormula ? `'${text}` : text
  return /[",;\s']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
