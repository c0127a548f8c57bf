import { randomBytes } from "node:crypto"

// Random digits are generated for many ids at once, because a system call for each would cost more than the id.
const POOL_BYTES = 8192
const DIGITS_PER_ID = 19
let digits = ""
let used = 0

/** The time of the last id in hexadecimal digits: writing them costs more than the rest of an id. */
let lastMs = -1
let lastTime = ""

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Returns whether a text is a UUID of any version, in lower or upper case. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/**
 * Creates a UUID version 7 (RFC 9562): 48 bits of time, then random bits. Ids of the same time are close together in an
 * index, so a database writes a third of the log volume that random ids cause.
 *
 * @param nowMs milliseconds since the epoch
 */
export function uuidV7(nowMs: number): string {
  if (used + DIGITS_PER_ID > digits.length) {
    digits = randomBytes(POOL_BYTES).toString("hex")
    used = 0
  }
  const at = used
  used += DIGITS_PER_ID
  if (nowMs !== lastMs) {
    lastTime = nowMs.toString(16).padStart(12, "0")
    lastMs = nowMs
  }
  const time = lastTime
  // Two of the four bits after the third dash are the variant of the UUID; the other two are random.
  const variant = "89ab"[digits.charCodeAt(at + 3) & 3]
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${digits.slice(at, at + 3)}-${variant}${digits.slice(at + 4, at + 7)}-${digits.slice(at + 7, at + DIGITS_PER_ID)}`
}

/**
 * Returns a UUID version 8 (RFC 9562) that follows from its arguments: 48 bits of time, then bits of a digest. It is in the
 * order of time with those of version 7.
 *
 * @param ms milliseconds since the epoch
 * @param digest at least 19 hexadecimal digits
 */
export function toUuidV8(ms: number, digest: string): string {
  const time = ms.toString(16).padStart(12, "0").slice(-12)
  const variant = "89ab"[Number.parseInt(digest[3]!, 16) & 3]
  return `${time.slice(0, 8)}-${time.slice(8)}-8${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`
}
