/** Names of headers and query parameters that carry a credential, whole or as a word in them. */
const SECRET_NAME =
  /(?:^|[-_.])(?:proxy-)?(?:authorization|auth|api[-_]?key|access[-_]?key|key|(?:access|refresh|id|auth)?[-_]?token|(?:client)?[-_]?secret|password|passwd|pwd|credentials?|cookie2?|signature|sig|jwt|bearer)(?:$|[-_.])/
/** End in `key`, and open nothing. */
const NO_SECRET = new Set(["idempotency-key", "x-idempotency-key", "sec-websocket-key"])
/** What a credential looks like where nobody expects one. */
const SECRET_VALUE =
  /\b(?:bearer|basic)\s+[\w+/=.~-]{8,}|\bsk-[\w-]{16,}|\bAIza[\w-]{20,}|\bmdm_sk_[\w-]{8,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.|\b(?:AKIA|ASIA)[A-Z0-9]{12,}/i
const MIN_CREDENTIAL_LENGTH = 8
const MAX_REMEMBERED = 1000

const remembered = new Map<string, boolean>()

/** True for the name (any case) of a header or query parameter whose value must not be stored. */
export function isSecretName(name: string): boolean {
  const known = remembered.get(name)
  if (known !== undefined) return known
  const lower = name.toLowerCase()
  const isSecret = SECRET_NAME.test(lower) && !NO_SECRET.has(lower)
  // The names that clients send are few; those that somebody makes up are not remembered.
  if (remembered.size < MAX_REMEMBERED && name.length < 100) remembered.set(name, isSecret)
  return isSecret
}

/**
 * Headers by their names as sent, without those that hold a credential. Several of one name are joined by a comma.
 * @param raw names and values, alternating
 * @param found is given each credential that was left out
 */
export function redactHeaders_(
  raw: readonly (Buffer | string)[],
  found?: (credential: string) => void,
): Record<string, string> {
  const kept: Record<string, string> = Object.create(null)
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = toText(raw[i]!)
    const value = toText(raw[i + 1]!)
    if (isSecretName(name) || (value.length > MIN_CREDENTIAL_LENGTH && SECRET_VALUE.test(value))) {
      for (const word of value.split(/[\s,;]+/)) if (word.length >= MIN_CREDENTIAL_LENGTH) found?.(word)
    } else kept[name] = kept[name] === undefined ? value : `${kept[name]}, ${value}`
  }
  return kept
}

/** The query as sent, without the parameters that hold a credential; `""` when none remain. */
export function redactQuery(query: string, found?: (credential: string) => void): string {
  if (query.length < 2) return ""
  const kept = query
    .slice(1)
    .split("&")
    .filter((pair) => {
      const mark = pair.indexOf("=")
      const name = mark === -1 ? pair : pair.slice(0, mark)
      const value = mark === -1 ? "" : pair.slice(mark + 1)
      if (!isSecretName(decoded(name)) && !SECRET_VALUE.test(decoded(value))) return true
      for (const word of new Set([value, decoded(value)])) if (word.length >= MIN_CREDENTIAL_LENGTH) found?.(word)
      return false
    })
  return kept.length === 0 ? "" : `?${kept.join("&")}`
}

/** The same bytes with the request's own credentials, which some providers quote in their errors, taken out. */
export function redactCredentials(bytes: Buffer, credentials: readonly string[]): Buffer {
  let text: string | undefined
  for (const credential of credentials) {
    if (!(text ?? bytes).includes(credential)) continue
    text = (text ?? bytes.toString("latin1")).replaceAll(credential, "[removed]")
  }
  return text === undefined ? bytes : Buffer.from(text, "latin1")
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "))
  } catch {
    return text
  }
}

function toText(value: Buffer | string): string {
  return typeof value === "string" ? value : value.toString("latin1")
}
