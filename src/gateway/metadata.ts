import type { RawHeaders } from "../core/call.ts"
import { MAX_METADATA_NAME_LENGTH, METADATA_PREFIX, RESERVED_NAMES } from "../core/metadata-name.ts"
import { truncateText } from "../core/text.ts"
import { toTrainCase } from "../core/train-case.ts"
import type { Counters } from "./counters.ts"
import { toHeaderText } from "./header-text.ts"

/** The SDKs of OpenAI and Anthropic count here how often they have sent the same request before; 0 is not kept. */
const RETRY_COUNT = "x-stainless-retry-count"
const RETRY_NAME = "retry-count"
/** The metadata of a request without any. One object, so that it can be compared by identity. */
export const NO_METADATA: Readonly<Record<string, string>> = Object.freeze(Object.create(null))

/**
 * Reads the metadata of a request: every `X-Majordomo-*` header that is not reserved, by the rest of its name in
 * Train-Case (`x-majordomo-user-id` is `User-Id`), whatever case the client sent. A retry of an SDK has `Retry-Count`.
 * Headers beyond the limits are dropped or truncated, and counted; the request is never rejected for them.
 */
export function readMetadata(
  raw: RawHeaders,
  limits: { readonly maxKeys: number; readonly maxValueLength: number },
  counters: Pick<Counters, "metadataTruncated"> = { metadataTruncated: 0 },
): Readonly<Record<string, string>> {
  let metadata: Record<string, string> | undefined
  let count = 0
  for (let i = 0; i < raw.length; i += 2) {
    const header = raw[i]!
    if (header.length <= METADATA_PREFIX.length || (header.charCodeAt(0) | 32) !== 120) continue
    const lower = header.toLowerCase()
    const rest = lower.startsWith(METADATA_PREFIX) ? lower.slice(METADATA_PREFIX.length) : retryName(lower, raw[i + 1]!)
    if (rest === undefined || RESERVED_NAMES.has(rest)) continue
    const name = toStoredName(rest.slice(0, MAX_METADATA_NAME_LENGTH))
    metadata ??= Object.create(null) as Record<string, string>
    const before = metadata[name]
    if (before === undefined && count === limits.maxKeys) {
      counters.metadataTruncated++
      continue
    }
    if (before === undefined) count++
    const value = before === undefined ? toHeaderText(raw[i + 1]!) : `${before}, ${toHeaderText(raw[i + 1]!)}`
    if (value.length > limits.maxValueLength) counters.metadataTruncated++
    metadata[name] = truncateText(value, limits.maxValueLength)
  }
  return metadata ?? NO_METADATA
}

function retryName(header: string, count: string): string | undefined {
  return header === RETRY_COUNT && /^[1-9]\d{0,3}$/.test(count) ? RETRY_NAME : undefined
}

const trainCaseNames = new Map<string, string>()
const MAX_CACHED_NAMES = 1000

/** `user-id` → `User-Id`. Cached, because an application sends the same few names with every request. */
function toStoredName(lower: string): string {
  let name = trainCaseNames.get(lower)
  if (name === undefined) {
    name = toTrainCase(lower)
    if (trainCaseNames.size < MAX_CACHED_NAMES) trainCaseNames.set(lower, name)
  }
  return name
}
