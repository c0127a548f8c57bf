import { isSecretName, isSecretValue } from "../core/secrets.ts"

const MIN_CREDENTIAL_LENGTH = 8

/**
 * Returns the headers by their names as sent, without those that hold a credential. Several values of one name are
 * joined by a comma.
 * @param raw names and values, alternating
 * @param found is called with each credential that was left out
 */
export function redactHeaders_(
  raw: readonly (Buffer | string)[],
  found?: (credential: string) => void,
): Record<string, string> {
  const kept: Record<string, string> = Object.create(null)
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = toText(raw[i]!)
    const value = toText(raw[i + 1]!)
    if (isSecretName(name) || (value.length > MIN_CREDENTIAL_LENGTH && isSecretValue(value))) {
      for (const word of value.split(/[\s,;]+/)) if (word.length >= MIN_CREDENTIAL_LENGTH) found?.(word)
    } else kept[name] = kept[name] === undefined ? value : `${kept[name]}, ${value}`
  }
  return kept
}

/**
 * Returns the query as sent, without the parameters that hold a credential; `""` when none remain.
 * @param found is called with each credential that was left out
 */
export function redactQuery(query: string, found?: (credential: string) => void): string {
  if (query.length < 2) return ""
  const kept = query
    .slice(1)
    .split("&")
    .filter((pair) => {
      const mark = pair.indexOf("=")
      const name = mark === -1 ? pair : pair.slice(0, mark)
      const value = mark === -1 ? "" : pair.slice(mark + 1)
      if (!isSecretName(decoded(name)) && !isSecretValue(decoded(value))) return true
      for (const word of new Set([value, decoded(value)])) if (word.length >= MIN_CREDENTIAL_LENGTH) found?.(word)
      return false
    })
  return kept.length === 0 ? "" : `?${kept.join("&")}`
}

/** Returns the bytes without the request's own credentials, which some providers repeat in their errors. */
export function redactCredentials(bytes: Buffer, credentials: readonly string[]): Buffer {
  let text: string | undefined
  for (const credential of credentials) {
    if (!(text ?? bytes).includes(credential)) continue
    text = (text ?? bytes.toString("latin1")).replaceAll(credential, "[removed]")
  }
  return text === undefined ? bytes : Buffer.from(text, "latin1")
}

/** Returns headers whose values do not contain these credentials. */
export function removeCredentials(
  headers: Record<string, string>,
  credentials: readonly string[],
): Record<string, string> {
  for (const credential of credentials) {
    for (const name in headers) headers[name] = headers[name]!.replaceAll(credential, "[removed]")
  }
  return headers
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
