/**
 * The one list of what credentials look like. Everything that stores or shows text uses it: stored bodies and headers,
 * error messages of providers, and the dialects' tests.
 */

/** Names of headers and query parameters that carry a credential, as the whole name or as a word of it. */
const SECRET_NAME =
  /(?:^|[-_.])(?:proxy-)?(?:authorization|auth|api[-_]?key|access[-_]?key|key|(?:access|refresh|id|auth)?[-_]?token|(?:client)?[-_]?secret|password|passwd|pwd|credentials?|cookie2?|signature|sig|jwt|bearer)(?:$|[-_.])/
/** Names that end in `key` and hold no credential. */
const PUBLIC_NAMES = new Set(["idempotency-key", "x-idempotency-key", "sec-websocket-key"])
const MAX_CACHED_NAMES = 1000

/** The key of an AWS user or session. */
const AWS_KEY = /\b(?:AKIA|ASIA)[A-Z0-9]{12,}/
/** A value that is a credential although its name does not say so. Strict, because a match drops the whole value. */
const SECRET_VALUE = new RegExp(
  [
    /\b(?:bearer|basic)\s+[\w+/=.~-]{8,}/,
    /\bsk-[\w-]{16,}/,
    /\bAIza[\w-]{20,}/,
    /\bmdm_sk_[\w-]{8,}/,
    /\beyJ[\w-]{8,}\.[\w-]{8,}\./,
    AWS_KEY,
  ]
    .map(({ source }) => source)
    .join("|"),
  "i",
)

/** Credentials in prose. Loose, because providers repeat parts of keys with asterisks, and a match costs one word. */
const SECRETS_IN_PROSE = [
  /\b(?:sk|pk|rk|gsk|xai|pplx|hf|or|mdm_sk|AIza|ya29|eyJ)[-_.][-_.*A-Za-z0-9]{6,}/g,
  /\b(?:AIza|ya29\.|eyJ)[-_.*A-Za-z0-9]{10,}/g,
  /\bbearer\s+[^\s"',]+/gi,
  new RegExp(AWS_KEY, "g"),
]
/** Whatever follows "key … :". OpenAI answers a wrong key with a part of it. */
const AFTER_KEY = /(\b(?:api[ _-]?)?key\b[^:"'\n]{0,40}[:=]\s*["']?)[^\s"',]{6,}/gi

const secretNames = new Map<string, boolean>()

/** Returns true for the name, in any case, of a header or query parameter whose value must not be stored. */
export function isSecretName(name: string): boolean {
  const known = secretNames.get(name)
  if (known !== undefined) return known
  const lower = name.toLowerCase()
  const isSecret = SECRET_NAME.test(lower) && !PUBLIC_NAMES.has(lower)
  // Clients send few different names. The bound keeps invented ones from filling the memory.
  if (secretNames.size < MAX_CACHED_NAMES && name.length < 100) secretNames.set(name, isSecret)
  return isSecret
}

/** Returns true for a value that holds a credential of a known shape. */
export function isSecretValue(value: string): boolean {
  return SECRET_VALUE.test(value)
}

/** Returns the text with `***` in place of everything that looks like a credential. */
export function redactSecrets(text: string): string {
  let clean = text.replace(AFTER_KEY, "$1***")
  for (const secret of SECRETS_IN_PROSE) clean = clean.replace(secret, "***")
  return clean
}
