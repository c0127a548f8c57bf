const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const FORBIDDEN_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/

/** Whether HTTP allows a text as a method or as the name of a header (RFC 9110, section 5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** Whether HTTP allows a latin1 text as the value of a header; it may be empty (RFC 9110, section 5.5). */
export function isFieldValue(text: string): boolean {
  return !FORBIDDEN_IN_VALUE.test(text)
}

/** Writes headers, or trailers, one a line. @param fields names and values alternate, and are valid */
export function toHeaderLines(fields: readonly string[]): string {
  let lines = ""
  for (let at = 0; at < fields.length; at += 2) lines += `${fields[at]}: ${fields[at + 1]}\r\n`
  return lines
}
