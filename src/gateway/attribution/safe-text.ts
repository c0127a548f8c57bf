import { redactSecretValues } from "../../core/secrets.ts"
import { remember } from "../../kit/remember.ts"

/** Control characters, separators of lines, and halves of characters, which no database stores in JSON. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]+/gu
const CACHED = { entries: 2000, length: 256 }

/**
 * Creates the function that makes a value fit to be stored which its client did not send as metadata: it removes
 * credentials and what is not text. Results are cached, because users and sessions send many requests.
 */
export function createSafeText(): (text: string) => string {
  return remember((text) => redactSecretValues(text.replace(UNSAFE, " ").trim()), CACHED)
}
