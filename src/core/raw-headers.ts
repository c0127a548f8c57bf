import type { RawHeaders } from "./call.ts"

/** Returns the value of a header among raw ones; several values are joined by a comma. `name` is in lower case. */
export function findRaw(raw: RawHeaders, name: string): string | undefined {
  let found: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length !== name.length || raw[i]!.toLowerCase() !== name) continue
    found = found === undefined ? raw[i + 1]! : `${found}, ${raw[i + 1]}`
  }
  return found
}
