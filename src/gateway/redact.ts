import type { Call } from "../core/call.ts"

/** By these the clients of the known APIs identify themselves. */
const CREDENTIALS = ["authorization", "proxy-authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"]
const MIN_LENGTH = 8

/**
 * A provider's words without the credentials that came with this very request: some quote what they refuse, and what a
 * credential looks like is known of a few providers only.
 */
export function redactEchoedCredentials(words: string, { headers, query }: Pick<Call, "headers" | "query">): string {
  let clean = words
  for (const name of CREDENTIALS) {
    const value = headers[name]
    if (value !== undefined) clean = blot(clean, String(value))
  }
  for (const [name, value] of new URLSearchParams(query)) if (name === "key") clean = blot(clean, value)
  return clean
}

function blot(words: string, value: string): string {
  let clean = words
  for (const part of value.split(/[\s,;]+/)) {
    for (const secret of [part, part.slice(part.indexOf("=") + 1)]) {
      if (secret.length >= MIN_LENGTH) clean = clean.replaceAll(secret, "***")
    }
  }
  return clean
}
