import { hash, randomBytes } from "node:crypto"

/** The beginning of every gateway key. */
export const GATEWAY_KEY_PREFIX = "mdm_sk_"
const BYTES = 32

/** Creates an API key: `mdm_sk_` and 32 random bytes in base64url. It is shown once and never stored. */
export function generateKey(): string {
  return GATEWAY_KEY_PREFIX + randomBytes(BYTES).toString("base64url")
}

/** Returns the SHA-256 hash of a key or credential in hex. Nothing else of it is ever stored. */
export function hashKey(key: string): string {
  return hash("sha256", key, "hex")
}
