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

/** Returns a text that a browser keeps and cannot change. It can be read until a time, in milliseconds since the epoch. */
export function sealText(key: string, text: string, until: number): string {
  const sealed = Buffer.from(`${until} ${text}`).toString("base64url")
  return `${sealed}.${sign(key, `sealed ${sealed}`)}`
}

/** Returns the text; undefined if it was not sealed with the key, or its time is over. */
export function openText(key: string, cookie: string, now: number): string | undefined {
  const [sealed = "", signature = ""] = cookie.split(".")
  if (!isSame(signature, sign(key, `sealed ${sealed}`))) return undefined
  const [, until, text] = /^(\d+) (.*)$/s.exec(Buffer.from(sealed, "base64url").toString()) ?? []
  return now < Number(until) ? text : undefined
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
