import type { Headers } from "../core/call.ts"
import { GATEWAY_KEY_PREFIX } from "../core/key.ts"

/** A place in a request where a provider's credential can stand. Header names are in lower case. */
export type CredentialPlace =
  | { readonly header: string; readonly scheme?: "bearer" }
  /** A query parameter. */
  | { readonly query: string }

interface Request {
  readonly headers: Headers
  readonly query: string
}

/**
 * Returns the provider's credential of the first place that holds one, without its scheme; undefined when none does. A
 * gateway key in such a place is none.
 */
export function readCredential(places: readonly CredentialPlace[], request: Request): string | undefined {
  for (const place of places) {
    const credential = readPlace(place, request)
    if (credential !== undefined && !credential.startsWith(GATEWAY_KEY_PREFIX)) return credential
  }
  return undefined
}

/** Returns the gateway key that stands in the place of a provider's credential. */
export function readMisplacedGatewayKey(places: readonly CredentialPlace[], request: Request): string | undefined {
  for (const place of places) {
    const credential = readPlace(place, request)
    if (credential?.startsWith(GATEWAY_KEY_PREFIX)) return credential
  }
  return undefined
}

/** Returns true if the request has the place, even when nothing usable stands there. */
export function hasPlace(place: CredentialPlace, { headers, query }: Request): boolean {
  return "header" in place ? headers[place.header] !== undefined : hasParameter(query, place.query)
}

/** Returns true if the query has a parameter of this name. */
export function hasParameter(query: string, name: string): boolean {
  return query.startsWith(`?${name}=`) || query.includes(`&${name}=`)
}

/** Returns a query with its encoded ASCII characters decoded, as a server reads it: only to find names and keys in it. */
export function decodeQuery(query: string): string {
  if (!query.includes("%")) return query
  return query.replace(/%[0-7][0-9a-f]/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
}

function readPlace(place: CredentialPlace, { headers, query }: Request): string | undefined {
  if ("query" in place) return query.includes(`${place.query}=`) ? readParameter(query, place.query) : undefined
  const value = headers[place.header]
  const first = typeof value === "object" ? value[0] : value
  if (first === undefined || first === "") return undefined
  return place.scheme === "bearer" ? /^bearer\s+(\S.*)$/i.exec(first)?.[1]?.trim() : first
}

function readParameter(query: string, name: string): string | undefined {
  return new URLSearchParams(query).get(name) || undefined
}
