import type { RawHeaders } from "../core/call.ts"
import type { Counters } from "./counters.ts"

const PREFIX = "x-majordomo-"
/** Ours to read, not the user's metadata. */
const RESERVED = new Set(["key", "provider", "provider-alias", "request-id", "store-bodies"])
/** No metadata: one object, so that it is told by identity. */
export const NO_METADATA: Readonly<Record<string, string>> = Object.freeze(Object.create(null))
const MAX_NAME_LENGTH = 128

/**
 * The request's metadata: every `X-Majordomo-*` header that is not ours, by the rest of its name in Train-Case
 * (`x-majordomo-user-id` is `User-Id`), whatever case an HTTP library sent. Over the limits it is cut, never refused.
 */
export function readMetadata(
  raw: RawHeaders,
  limits: { readonly maxKeys: number; readonly maxValueLength: number },
  tally: Pick<Counters, "metadataTruncated"> = { metadataTruncated: 0 },
): Readonly<Record<string, string>> {
  let metadata: Record<string, string> | undefined
  let count = 0
  for (let i = 0; i < raw.length; i += 2) {
    const header = raw[i]!
    if (header.length <= PREFIX.length || (header.charCodeAt(0) | 32) !== 120) continue
    const lower = header.toLowerCase()
    if (!lower.startsWith(PREFIX) || RESERVED.has(lower.slice(PREFIX.length))) continue
    const name = toTrainCase(lower.slice(PREFIX.length, PREFIX.length + MAX_NAME_LENGTH))
    metadata ??= Object.create(null) as Record<string, string>
    const before = metadata[name]
    if (before === undefined && count === limits.maxKeys) {
      tally.metadataTruncated++
      continue
    }
    if (before === undefined) count++
    const value = before === undefined ? fromLatin1(raw[i + 1]!) : `${before}, ${fromLatin1(raw[i + 1]!)}`
    if (value.length > limits.maxValueLength) tally.metadataTruncated++
    metadata[name] = cut(value, limits.maxValueLength)
  }
  return metadata ?? NO_METADATA
}

const names = new Map<string, string>()
const MAX_REMEMBERED_NAMES = 1000

/** `user-id` → `User-Id`. The names of an application are few and come again with each request. */
function toTrainCase(lower: string): string {
  let name = names.get(lower)
  if (name === undefined) {
    name = lower.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase())
    if (names.size < MAX_REMEMBERED_NAMES) names.set(lower, name)
  }
  return name
}

/** Header bytes reach us as latin1; a client that sent UTF-8 meant UTF-8. */
function fromLatin1(value: string): string {
  if (!/[\x80-\xff]/.test(value)) return value
  const bytes = Buffer.from(value, "latin1")
  const text = bytes.toString("utf8")
  return text.includes("\ufffd") ? value : text
}

/** At most `max` UTF-16 units, never through the middle of a character. */
function cut(value: string, max: number): string {
  if (value.length <= max) return value
  const last = value.charCodeAt(max - 1)
  return value.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 1 : max)
}
