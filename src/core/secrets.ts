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

/** What a credential looks like. Each pattern is strict, because a match can drop the whole value. */
const SHAPES = [
  /\b(?:bearer|basic)\s+[\w+/=.~-]{8,}/,
  /\bsk-[\w-]{16,}/,
  /\bAIza[\w-]{20,}/,
  /\bya29\.[\w-]{10,}/,
  /\bmdm_(?:sk|admin)_[\w-]{8,}/,
  // OpenAI's keys as a WebSocket subprotocol, and its keys that are valid for a minute.
  /\bopenai-insecure-api-key\.[\w.-]{8,}/,
  /\bek_\w{16,}/,
  // JSON Web Tokens. Each run of letters is searched once: a search from every `eyJ` would take seconds for 64 KiB of them.
  /(?<![\w-])(?=[\w-]+\.[\w-]{8,}\.)[\w-]*?\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/,
  // AWS: the key of a user or a session, and a key of Bedrock.
  /\b(?:AKIA|ASIA)[A-Z0-9]{12,}/,
  /\bABSK[\w+/=]{30,}/,
  /\bgh[a-z]_[A-Za-z0-9]{16,}/,
  /\bgithub_pat_\w{16,}/,
  /\bglpat-[\w-]{16,}/,
  /\bxox[a-z]-[\w-]{8,}/,
  /\b(?:hf|gsk|csk|fw|tgp_v1|npm|r8|pplx|xai|nvapi|dop_v1|sk_live|rk_live|whsec|GOCSPX)[_-]\w{16,}/,
  // Google's keys since 2025.
  /\bAQ\.[\w-]{20,}/,
  /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]*/,
  // The user name and the password in a URL, except for the ones of our own examples.
  /(?<=:\/\/)(?!user:password@)[^\s/:@"'<>]{0,128}:[^\s/@"'<>]{1,256}(?=@)/,
]
const SECRET_VALUE = new RegExp(SHAPES.map(({ source }) => source).join("|"), "i")
const SECRET_VALUES = new RegExp(SECRET_VALUE.source, "gi")

/**
 * Credentials in prose: the shapes, and looser ones, because providers repeat parts of keys with asterisks, and a match
 * costs one word.
 */
const SECRETS_IN_PROSE = [
  SECRET_VALUE,
  /\b(?:sk|pk|rk|gsk|xai|pplx|hf|or|mdm_sk|mdm_admin|AIza|ya29|eyJ)[-_.][-_.*A-Za-z0-9]{6,}/,
  /\b(?:AIza|ya29\.|eyJ)[-_.*A-Za-z0-9]{10,}/,
  /\bbearer\s+[^\s"',]+/i,
  // `user:password@host` without a scheme.
  /\b(?!user:password@)[\w.+-]{1,64}:[^\s:@/"']{1,128}(?=@[A-Za-z0-9])/,
].map(({ source, flags }) => new RegExp(source, `${flags}g`))
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

/** Returns the text with `***` in place of the credentials of known shapes. Ordinary text is never changed. */
export function redactSecretValues(text: string): string {
  return text.replace(SECRET_VALUES, "***")
}

/** Returns the text with `***` in place of everything that looks like a credential, also where it only may be one. */
export function redactSecrets(text: string): string {
  let clean = text.replace(AFTER_KEY, "$1***")
  for (const secret of SECRETS_IN_PROSE) clean = clean.replace(secret, "***")
  return clean
}
