import { parseMetadataName, RESERVED_NAMES } from "../core/metadata-name.ts"
import { truncateText } from "../core/text.ts"

const MAX_NAMES = 64
const MAX_VALUE_LENGTH = 1024

type Pair = readonly [name: string, value: string | undefined]

/**
 * Returns metadata as the gateway stores it: names in Train-Case, and values that are not empty. Of two values of one name, the first
 * counts. Characters that no header can have in its name become `-`.
 */
export function toMetadata(...groups: readonly (readonly Pair[])[]): Readonly<Record<string, string>> {
  const metadata = new Map<string, string>()
  for (const [given, value] of groups.flat()) {
    if (value === undefined || value === "") continue
    const name = parseMetadataName(given.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^-+|-+$/g, "") || "-")
    if (name === undefined || metadata.has(name) || metadata.size === MAX_NAMES) continue
    if (RESERVED_NAMES.has(name.toLowerCase())) continue
    metadata.set(name, truncateText(value, MAX_VALUE_LENGTH))
  }
  return Object.fromEntries(metadata)
}
