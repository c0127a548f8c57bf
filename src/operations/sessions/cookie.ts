import { createHmac, timingSafeEqual } from "node:crypto"

/**
 * The cookie of a session is its secret and the signature of the secret, so that a forged cookie costs no query. The CSRF
 * token is another signature of the same secret: a page of another origin can read neither.
 */
export function signCookie(key: string, secret: string): string {
  return `${secret}.${sign(key, `cookie ${secret}`)}`
}

/** Returns the secret of a cookie; undefined if the cookie was not signed with the key. */
export function readCookie(key: string, cookie: string): string | undefined {
  const [, secret, signature] = /^([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/.exec(cookie) ?? []
  if (secret === undefined || signature === undefined) return undefined
  return isSame(signature, sign(key, `cookie ${secret}`)) ? secret : undefined
}

/** Returns the CSRF token of a session. */
export function toCsrfToken(key: string, secret: string): string {
  return sign(key, `csrf ${secret}`)
}

/** Compares two texts in a time that says nothing about where they differ. */
export function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

function sign(key: string, text: string): string {
  return createHmac("sha256", key).update(text).digest("base64url")
}
