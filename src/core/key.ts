import { hash, randomBytes } from "node:crypto"

/** The beginning of every gateway key. */
export const GATEWAY_KEY_PREFIX = "mdm_sk_"
const BYTES = 32

/** Creates an API key: `mdm_sk_` and 32 random bytes in base64url. It is shown once and never stored. */
export function generateKey(): string {
  return GATEWAY_KEY_PREFIX + generateSecret()
}

/** The beginning of every admin token. */
const ADMIN_TOKEN_PREFIX = "mdm_admin_"
/** 32 bytes in base64url. */
const ADMIN_TOKEN = /^mdm_admin_[A-Za-z0-9_-]{43}$/

/** Creates an admin token: `mdm_admin_` and 32 random bytes in base64url. It is shown once and never stored. */
export function generateAdminToken(): string {
  return ADMIN_TOKEN_PREFIX + generateSecret()
}

/** Returns whether a text has the form of an admin token. */
export function isAdminToken(text: string): boolean {
  return ADMIN_TOKEN.test(text)
}

/** Returns 32 random bytes in base64url, for a session or a sign-in code. */
export function generateSecret(): string {
  return randomBytes(BYTES).toString("base64url")
}

/** Returns the SHA-256 hash of a key or credential in hex. Nothing else of it is ever stored. */
export function hashKey(key: string): string {
  return hash("sha256", key, "hex")
}
