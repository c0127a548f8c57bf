import type { RawHeaders } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import type { Dialect } from "../providers/_dialect.ts"

const OWN_NAMES = ["host", "content-length", "x-majordomo-key", "x-majordomo-provider"]

/**
 * Creates the check of the headers that must not be sent twice: those that decide where a request goes and who sends it.
 * Servers disagree on which of two values counts, and attackers use that.
 *
 * The check throws a GatewayError `bad_request`.
 */
export function createSingleHeaderCheck(dialects: readonly Dialect[]): (raw: RawHeaders) => void {
  const names = new Set(OWN_NAMES)
  for (const { credentials } of dialects) {
    for (const place of credentials) if ("header" in place) names.add(place.header)
  }
  const bits = new Map([...names].map((name, index) => [name, 1 << index]))
  // Most headers have another length, so they are never put into lower case.
  const lengths = new Set([...names].map((name) => name.length))
  return (raw) => {
    let seen = 0
    for (let i = 0; i < raw.length; i += 2) {
      if (!lengths.has(raw[i]!.length)) continue
      const name = raw[i]!.toLowerCase()
      const bit = bits.get(name)
      if (bit === undefined) continue
      if (seen & bit) throw new GatewayError("bad_request", `The header ${name} was sent more than once. Send it once.`)
      seen |= bit
    }
  }
}
