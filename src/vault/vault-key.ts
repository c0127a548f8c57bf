import { createHash, randomBytes } from "node:crypto"

const BYTES = 32
/** 32 bytes in base64 or base64url, with or without the padding. */
const FORM = /^[A-Za-z0-9+/_-]{43}=?$/

/** A key that encrypts the provider keys. */
export interface VaultKey {
  /** The first 8 hex digits of its SHA-256: it names the key without showing it. */
  readonly id: string
  readonly bytes: Buffer
}

/** Returns a new key. */
export function generateVaultKey(): VaultKey {
  return toVaultKey(randomBytes(BYTES))
}

/** Parses the text of a key; undefined: it is not 32 bytes in base64. */
export function parseVaultKey(text: string): VaultKey | undefined {
  if (!FORM.test(text)) return undefined
  const bytes = Buffer.from(text, "base64")
  return bytes.length === BYTES ? toVaultKey(bytes) : undefined
}

/** Returns the text of a key, as files and settings have it. */
export function formatVaultKey({ bytes }: VaultKey): string {
  return bytes.toString("base64")
}

function toVaultKey(bytes: Buffer): VaultKey {
  return { id: createHash("sha256").update(bytes).digest("hex").slice(0, 8), bytes }
}
