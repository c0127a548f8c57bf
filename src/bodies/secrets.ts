import { toForms } from "../core/secret-forms.ts"
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

const REMOVED = "[removed]"

/**
 * Returns the bytes without the request's own credentials, which some providers repeat in their errors.
 * @param isTruncated whether the bytes can end within a credential
 */
export function redactCredentials(bytes: Buffer, credentials: readonly string[], isTruncated = false): Buffer {
  let text: string | undefined
  const forms = credentials.flatMap(toForms)
  for (const form of forms) {
    if (!(text ?? bytes).includes(form)) continue
    text = (text ?? bytes.toString("latin1")).replaceAll(form, REMOVED)
  }
  const clean = text === undefined ? bytes : Buffer.from(text, "latin1")
  return isTruncated ? removeBeginning(clean, forms) : clean
}

/** Returns true if the bytes contain one of the credentials. */
export function holdsCredential(bytes: Buffer, credentials: readonly string[], isTruncated = false): boolean {
  const forms = credentials.flatMap(toForms)
  if (forms.some((form) => bytes.includes(form))) return true
  return isTruncated && removeBeginning(bytes, forms) !== bytes
}

/** Removes the beginning of a credential at the end of the bytes. */
function removeBeginning(bytes: Buffer, forms: readonly string[]): Buffer {
  for (const form of forms) {
    const longest = Math.min(form.length - 1, bytes.length)
    for (let length = longest; length >= MIN_CREDENTIAL_LENGTH; length--) {
      const end = bytes.subarray(bytes.length - length).toString("latin1")
      if (form.startsWith(end)) return Buffer.concat([bytes.subarray(0, bytes.length - length), Buffer.from(REMOVED)])
    }
  }
  return bytes
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
