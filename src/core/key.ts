import { hash, randomBytes } from "node:crypto"

const PREFIX = "mdm_sk_"
const BYTES = 32

/** A new API key: `mdm_sk_` and 32 random bytes in base64url. Shown once, never stored. */
export function mintKey(): string {
  return PREFIX + randomBytes(BYTES).toString("base64url")
}

/** The SHA-256 of a key or credential in hex: all that is ever stored of it. */
export function hashKey(key: string): string {
  return hash("sha256", key, "hex")
}
