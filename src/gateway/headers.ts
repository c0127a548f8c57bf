import * as zlib from "node:zlib"
import type { Headers, RawHeaders } from "../core/call.ts"

/** RFC 9110 section 7.6.1, and what older proxies treat the same way. */
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

/** The codings that the meter can read. Node has zstd from 22.15 on. */
const DECODABLE = new Set(["gzip", "x-gzip", "deflate", "br", ...("createZstdDecompress" in zlib ? ["zstd"] : [])])

/** What goes on to the provider: all but hop-by-hop headers, Host, Expect, and our own. */
export function toUpstreamHeaders(
  raw: RawHeaders,
  headers: Headers,
  options: { readonly identityOnly: boolean },
): string[] {
  const dropped = connectionTokens(headers.connection)
  const out: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const lower = name.toLowerCase()
    if (lower === "te" && raw[i + 1] === "trailers") {
      out.push(name, "trailers")
      continue
    }
    // Content-Length is set anew from the body that is sent.
    if (lower === "host" || lower === "content-length" || lower === "expect") continue
    if (HOP_BY_HOP.has(lower) || lower.startsWith(OWN_PREFIX) || dropped?.has(lower)) continue
    if (lower === "accept-encoding") {
      out.push(name, options.identityOnly ? "identity" : toDecodable(raw[i + 1]!))
      continue
    }
    out.push(name, raw[i + 1]!)
  }
  return out
}

/** The provider's header bytes as text. As latin1 they go out again byte for byte. */
export function decodeHeaders(raw: readonly Buffer[]): RawHeaders {
  const headers: string[] = []
  for (const bytes of raw) headers.push(bytes.toString("latin1"))
  return headers
}

/** What goes on to the client: all but hop-by-hop headers, and names that are ours. */
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

/** One header's value among raw ones, lower-case `name`; several are joined with a comma. */
export function findRaw(raw: RawHeaders, name: string): string | undefined {
  let found: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i]!.length !== name.length || raw[i]!.toLowerCase() !== name) continue
    found = found === undefined ? raw[i + 1]! : `${found}, ${raw[i + 1]}`
  }
  return found
}

/** Names that a Connection header lists; they are hop-by-hop too. Undefined for the usual `keep-alive` and `close`. */
function connectionTokens(value: string | string[] | undefined): Set<string> | undefined {
  if (value === undefined || value === "keep-alive" || value === "close") return undefined
  const tokens = String(value)
    .toLowerCase()
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token !== "" && token !== "content-type" && token !== "authorization")
  return tokens.length === 0 ? undefined : new Set(tokens)
}

/** The client's Accept-Encoding without what the meter cannot decode; `identity` when nothing remains. */
function toDecodable(value: string): string {
  const kept = value.split(",").filter((item) => {
    const coding = item.split(";")[0]!.trim().toLowerCase()
    return DECODABLE.has(coding) || coding === "identity"
  })
  return kept.length === 0 ? "identity" : kept.join(",").trim()
}
