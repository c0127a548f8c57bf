const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Whether HTTP allows a text as a method or as the name of a header (RFC 9110, section 5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}
