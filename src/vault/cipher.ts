import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"
import type { VaultKey } from "./vault-key.ts"

const ALGORITHM = "aes-256-gcm"
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** What an encrypted secret belongs to. It is authenticated, so that nobody can move the secret to another row. */
export interface Owner {
  readonly id: string
  readonly provider: string
  readonly alias: string
}

export interface EncryptedSecret {
  /** The encrypted bytes, and the tag of 16 bytes after them. */
  readonly ciphertext: Buffer
  readonly nonce: Buffer
  /** The id of the vault key. */
  readonly keyId: string
}

/** Encrypts a text with AES-256-GCM under a new nonce. */
export function encrypt(key: VaultKey, text: string, owner: Owner): EncryptedSecret {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(ALGORITHM, key.bytes, nonce, { authTagLength: TAG_BYTES }).setAAD(toBytes(owner))
  const ciphertext = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()])
  return { ciphertext, nonce, keyId: key.id }
}

/** Decrypts a text; undefined: the key is another one, or the text was changed or belongs to another owner. */
export function decrypt(key: VaultKey, { ciphertext, nonce }: EncryptedSecret, owner: Owner): string | undefined {
  try {
    const decipher = createDecipheriv(ALGORITHM, key.bytes, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(toBytes(owner)).setAuthTag(ciphertext.subarray(-TAG_BYTES))
    return decipher.update(ciphertext.subarray(0, -TAG_BYTES), undefined, "utf8") + decipher.final("utf8")
  } catch {
    return undefined
  }
}

/** JSON keeps the members apart, whatever characters they contain. */
function toBytes({ id, provider, alias }: Owner): Buffer {
  return Buffer.from(JSON.stringify([id, provider, alias]))
}
