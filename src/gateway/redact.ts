import type { Call } from "../core/call.ts"
import { type ProviderCredential, secretOf } from "../core/provider-credential.ts"
import { isSecretName, redactSecrets } from "../core/secrets.ts"
import { type CredentialPlace, readSubprotocol } from "../providers/_credentials.ts"

/** Shorter values are no credentials, and removing them would mutilate the message. */
const MIN_LENGTH = 8

/**
 * Returns the text of an error with `***` in place of everything that looks like a credential, and of the credentials that
 * came with this very request. Some providers repeat what they reject, and not every credential can be recognized by its
 * shape.
 * @param places where the dialect's credential can stand, beside everything that has the name of a secret
 */
export function redactEchoedCredentials(
  message: string,
  { headers, query }: Pick<Call, "headers" | "query">,
  places: readonly CredentialPlace[] = [],
): string {
  let clean = redactSecrets(message)
  for (const name in headers) {
    const isCredential = isSecretName(name) || places.some((place) => "header" in place && place.header === name)
    if (isCredential) clean = redactValue(clean, String(headers[name]))
  }
  for (const place of places) {
    const credential = "subprotocol" in place && readSubprotocol(headers, place.subprotocol)
    if (credential) clean = redactValue(clean, credential)
  }
  for (const [name, value] of new URLSearchParams(query)) {
    const isCredential = isSecretName(name) || places.some((place) => "query" in place && place.query === name)
    if (isCredential) clean = redactValue(clean, value)
  }
  return clean
}

/** Returns the text of an error without the credential that the gateway has added to the request. */
export function redactSupplied(message: string, supplied: ProviderCredential): string {
  return message.replaceAll(secretOf(supplied), "***")
}

/** Redacts each word of a header's value, and what follows the `=` of a cookie. */
function redactValue(message: string, value: string): string {
  let clean = message
  for (const word of value.split(/[\s,;]+/)) {
    for (const secret of [word, word.slice(word.indexOf("=") + 1)]) {
      if (secret.length >= MIN_LENGTH) clean = clean.replaceAll(secret, "***")
    }
  }
  return clean
}
