/** Returns comma-separated values, safe to open in a spreadsheet: no cell is a formula. */
export function toCsv(fields: readonly string[], rows: readonly (readonly unknown[])[]): string {
  return [fields, ...rows].map((row) => `${row.map(toCell).join(",")}\r\n`).join("")
}

/** https://owasp.org/www-community/attacks/CSV_Injection */
function toCell(value: unknown): string {
  if (value === null || value === undefined) return ""
  const text = String(value)
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",;\s']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Saves a text as a file of the reader. */
export function download(name: string, text: string): void {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
