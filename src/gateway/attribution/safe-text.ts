import { redactSecretValues } from "../../core/secrets.ts"

/** Control characters, separators of lines, and halves of characters, which no database stores in JSON. */
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]+/gu
const MAX_CACHED = 2000
const MAX_CACHED_LENGTH = 256

/**
 * Creates the function that makes a value fit to be stored which its client did not send as metadata: it removes
 * credentials and what is not text. Results are cached, because users and sessions send many requests.
 */
export function createSafeText(): (text: string) => string {
  const cache = new Map<string, string>()
  return (text) => {
    let safe = cache.get(text)
    if (safe !== undefined) return safe
    safe = redactSecretValues(text.replace(UNSAFE, " ").trim())
    if (text.length > MAX_CACHED_LENGTH) return safe
    if (cache.size >= MAX_CACHED) cache.clear()
    cache.set(text, safe)
    return safe
  }
}
