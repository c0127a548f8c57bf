import * as zlib from "node:zlib"
import type { Headers, RawHeaders } from "../core/call.ts"
import { GATEWAY_KEY_PREFIX } from "../core/key.ts"
import { findRaw } from "../core/raw-headers.ts"
import {
  containsGatewayKey,
  decodeQuery,
  hasParameter,
  SUBPROTOCOLS,
  splitSubprotocols,
} from "../providers/_credentials.ts"
import type { Withheld } from "./credentials.ts"

/** The hop-by-hop headers of RFC 9110, section 7.6.1, and those that older proxies treat alike. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
])
const OWN_PREFIX = "x-majordomo-"

/** Headers of a request that are not forwarded: the length is set anew, and the others are not the provider's business. */
const NEVER_FORWARDED = new Set([
  ...HOP_BY_HOP,
  "host",
  "content-length",
  "expect",
  "cookie",
  "cookie2",
  // The address of the client, as proxies before the gateway note it.
  "forwarded",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-original-forwarded-for",
  "true-client-ip",
  "cf-connecting-ip",
])
const FORWARDED_PREFIX = "x-forwarded-"

/** The content codings that the meter can read. Node has zstd since 22.15. */
const DECODABLE = new Set(["gzip", "x-gzip", "deflate", "br", ...("createZstdDecompress" in zlib ? ["zstd"] : [])])

/**
 * Returns the headers for the provider: all but hop-by-hop headers, those of the gateway, cookies, what proxies wrote about
 * the client, the credentials in `withheld`, and whatever contains a gateway key.
 */
export function toUpstreamHeaders(
  raw: RawHeaders,
  headers: Headers,
  options: { readonly identityOnly: boolean; readonly withheld: Pick<Withheld, "headers" | "subprotocols"> },
): string[] {
  const { withheld } = options
  const dropped = connectionTokens(headers.connection)
  const out: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const lower = name.toLowerCase()
    if (lower === "te" && raw[i + 1] === "trailers") {
      out.push(name, "trailers")
      continue
    }
    if (NEVER_FORWARDED.has(lower) || withheld.headers.has(lower) || dropped?.has(lower)) continue
    if (lower.startsWith(OWN_PREFIX) || lower.startsWith(FORWARDED_PREFIX)) continue
    if (lower === SUBPROTOCOLS) {
      const kept = toUpstreamSubprotocols(raw[i + 1]!, withheld.subprotocols)
      if (kept !== "") out.push(name, kept)
      continue
    }
    if (containsGatewayKey(raw[i + 1]!)) continue
    if (lower === "accept-encoding") {
      out.push(name, options.identityOnly ? "identity" : toDecodable(raw[i + 1]!))
      continue
    }
    out.push(name, raw[i + 1]!)
  }
  return out
}

/** Returns the subprotocols for the provider: as they were sent, but for those that carry a credential it must not get. */
function toUpstreamSubprotocols(value: string, withheld: readonly string[]): string {
  const offered = splitSubprotocols(value)
  const kept = offered.filter(
    (each) => !containsGatewayKey(each) && !withheld.some((prefix) => each.startsWith(prefix)),
  )
  return kept.length === offered.length ? value : kept.join(", ")
}

/** Returns the query for the provider, without the parameters in `withheld` and those with a gateway key. */
export function toUpstreamQuery(query: string, withheld: readonly string[]): string {
  if (query === "") return query
  const plain = decodeQuery(query)
  if (!plain.includes(GATEWAY_KEY_PREFIX) && !withheld.some((name) => hasParameter(plain, name))) return query
  const kept = query
    .slice(1)
    .split("&")
    .filter((each) => {
      const parameter = decodeQuery(each)
      return !parameter.includes(GATEWAY_KEY_PREFIX) && !withheld.some((name) => parameter.startsWith(`${name}=`))
    })
  return kept.length === 0 ? "" : `?${kept.join("&")}`
}

/** Returns the headers for the client: all but hop-by-hop headers and those whose names are the gateway's. */
export function toClientHeaders(raw: RawHeaders, options: { readonly dropLength: boolean }): string[] {
  const connection = findRaw(raw, "connection")
  const dropped = connection === undefined ? undefined : connectionTokens(connection)
  const out: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.has(lower) || lower.startsWith(OWN_PREFIX) || dropped?.has(lower)) continue
    if (options.dropLength && lower === "content-length") continue
    out.push(name, raw[i + 1]!)
  }
  return out
}

/** Whether an answer can have a body; its Content-Length may state the length of one that it does not have. */
export function mayHaveBody(method: string, statusCode: number): boolean {
  return method !== "HEAD" && statusCode !== 204 && statusCode !== 304
}

/** Returns the names in a Connection header, which are hop-by-hop too. undefined for `keep-alive` and `close`. */
function connectionTokens(value: string | string[] | undefined): Set<string> | undefined {
  if (value === undefined || value === "keep-alive" || value === "close") return undefined
  const tokens = String(value)
    .toLowerCase()
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token !== "" && token !== "content-type" && token !== "authorization")
  return tokens.length === 0 ? undefined : new Set(tokens)
}

/** Returns the client's Accept-Encoding without the codings that the meter cannot decode, or else `identity`. */
function toDecodable(value: string): string {
  const kept = value.split(",").filter((item) => {
    const coding = item.split(";")[0]!.trim().toLowerCase()
    return DECODABLE.has(coding) || coding === "identity"
  })
  return kept.length === 0 ? "identity" : kept.join(",").trim()
}
