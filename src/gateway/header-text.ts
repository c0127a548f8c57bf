import { isUtf8 } from "node:buffer"
import { containsGatewayKey } from "../providers/_credentials.ts"

/** The bytes of an incomplete UTF-8 character at the end of a text. */
const PARTIAL_CHARACTER = /(?:[\xc2-\xf4]|[\xe0-\xf4][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})$/
/** A byte that is not ASCII. */
const WIDE = /[\x80-\xff]/

/**
 * Returns the text that a client meant by a header value. Node decodes header bytes as latin1. If they are valid UTF-8,
 * the client meant UTF-8, also if it truncated the value within a character; that character becomes U+FFFD. A single
 * incomplete character says nothing: the last byte of `caf\xe9` is a letter in latin1.
 */
export function toHeaderText(value: string): string {
  if (!WIDE.test(value)) return value
  const bytes = Buffer.from(value, "latin1")
  if (isUtf8(bytes)) return bytes.toString("utf8")
  const whole = value.replace(PARTIAL_CHARACTER, "")
  return WIDE.test(whole) && isUtf8(Buffer.from(whole, "latin1")) ? bytes.toString("utf8") : value
}

/**
 * Returns the text of a header that rows repeat. A gateway key in it, which a client sent under a wrong name, becomes `***`:
 * whoever may read rows could use it.
 */
export function toStoredText(value: string): string {
  return containsGatewayKey(value) ? "***" : toHeaderText(value)
}
