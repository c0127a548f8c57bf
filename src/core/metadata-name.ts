import { createTable } from "./table.ts"
import { toTrainCase } from "./train-case.ts"

/** The beginning of the headers by which clients send metadata, in lower case. */
export const METADATA_PREFIX = "x-majordomo-"
/** The names after the prefix that the gateway itself reads, in lower case: they are not metadata. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  "cost",
  "key",
  "provider",
  "provider-alias",
  "store-bodies",
])
export const MAX_METADATA_NAME_LENGTH = 128

/** Short names of metadata that the gateway reads from requests by itself. */
export const METADATA_ALIASES: Readonly<Record<string, string>> = createTable({
  client: "Client",
  user: "User-Id",
  session: "Session-Id",
})

/**
 * Returns a metadata name in the form in which the gateway stores it: `User-Id` for `user-id` and for
 * `X-Majordomo-User-Id`. Returns undefined if no header can have this name.
 */
export function parseMetadataName(text: string): string | undefined {
  const bare = text.toLowerCase().startsWith(METADATA_PREFIX) ? text.slice(METADATA_PREFIX.length) : text
  if (bare.length > MAX_METADATA_NAME_LENGTH || !/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(bare)) return undefined
  return toTrainCase(bare)
}
