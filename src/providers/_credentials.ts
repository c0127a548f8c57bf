import type { Headers } from "../core/call.ts"
import { GATEWAY_KEY_PREFIX } from "../core/key.ts"

/** A place in a request where a provider's credential can stand. Header names are in lower case. */
export type CredentialPlace =
  | {
      readonly header: string
      /** `basic`: the password. `aws4`: the id of the access key with which the request is signed. */
      readonly scheme?: "bearer" | "basic" | "aws4"
    }
  /** A query parameter. `isForSockets`: only WebSockets have their credential there. */
  | { readonly query: string; readonly isForSockets?: true }
  /** The beginning of a WebSocket subprotocol, whose rest is the credential: browsers cannot send headers. */
  | { readonly subprotocol: string }

/** The places, beside those of the dialects, where SDKs put a key. A client has only its gateway key there. */
export const GATEWAY_KEY_PLACES: readonly CredentialPlace[] = [
  { header: "authorization", scheme: "basic" },
  { header: "authorization", scheme: "aws4" },
]

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

/**
 * Returns true for a header's value that contains a gateway key: as it is, percent-encoded, or in the base64 of basic
 * authentication.
 */
export function containsGatewayKey(value: string): boolean {
  if (value.includes(GATEWAY_KEY_PREFIX)) return true
  if (value.includes("%") && decodeQuery(value).includes(GATEWAY_KEY_PREFIX)) return true
  return decodeBasic(value)?.includes(GATEWAY_KEY_PREFIX) === true
}

/** Returns true if the request has the place, even when nothing usable stands there. */
export function hasPlace(place: CredentialPlace, { headers, query }: Request): boolean {
  if ("subprotocol" in place) return readSubprotocol(headers, place.subprotocol) !== undefined
  return "header" in place ? headers[place.header] !== undefined : hasParameter(query, place.query)
}

/** Returns true if the query has a parameter of this name. */
export function hasParameter(query: string, name: string): boolean {
  return query.startsWith(`?${name}=`) || query.includes(`&${name}=`)
}

/**
 * Returns a query with its encoded ASCII characters decoded, as a server reads it: only to find names and keys in it.
 * Characters that are encoded several times are decoded too, because proxies decode and encode what they pass on.
 */
export function decodeQuery(query: string): string {
  if (!query.includes("%")) return query
  return query.replace(/%(?:25)*[0-7][0-9a-f]/gi, (code) => String.fromCharCode(Number.parseInt(code.slice(-2), 16)))
}

/** The header with the subprotocols that a client offers, separated by commas. */
export const SUBPROTOCOLS = "sec-websocket-protocol"

/** Returns the rest of the first subprotocol that begins with `prefix`; undefined: the client offers none. */
export function readSubprotocol(headers: Headers, prefix: string): string | undefined {
  const offered = headers[SUBPROTOCOLS]
  if (offered === undefined) return undefined
  const found = splitSubprotocols(String(offered)).find((each) => each.startsWith(prefix))
  return found?.slice(prefix.length)
}

export function splitSubprotocols(value: string): string[] {
  return value.split(",").map((each) => each.trim())
}

function readPlace(place: CredentialPlace, { headers, query }: Request): string | undefined {
  if ("subprotocol" in place) return readSubprotocol(headers, place.subprotocol) || undefined
  if ("query" in place) return query.includes(`${place.query}=`) ? readParameter(query, place.query) : undefined
  const value = headers[place.header]
  const first = typeof value === "object" ? value[0] : value
  if (first === undefined || first === "") return undefined
  return place.scheme === undefined ? first : READERS[place.scheme](first)
}

const READERS = {
  bearer: (value: string) => /^bearer\s+(\S.*)$/i.exec(value)?.[1]?.trim(),
  basic: (value: string) => /:(.+)$/s.exec(decodeBasic(value) ?? "")?.[1],
  aws4: (value: string) => /^AWS4-[\w-]+\s.*?\bCredential=([^/,\s]+)\//.exec(value)?.[1],
}

/** Returns `user:password` of basic authentication. */
function decodeBasic(value: string): string | undefined {
  const first = value.charCodeAt(0) | 32
  if (first !== LETTER_B) return undefined
  const encoded = /^basic\s+(\S+)/i.exec(value)?.[1]
  return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString("latin1")
}

const LETTER_B = 0x62

function readParameter(query: string, name: string): string | undefined {
  return new URLSearchParams(query).get(name) || undefined
}
