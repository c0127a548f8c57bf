/** What the rows of these calls shall say. All of it is optional; reports group and filter by it. */
export interface Tags {
  /** `X-Majordomo-Feature`. */
  readonly feature?: string | undefined
  /** `X-Majordomo-Step`: of an agent or a pipeline. */
  readonly step?: string | undefined
  /** `X-Majordomo-User-Id`. */
  readonly userId?: string | undefined
  /** `X-Majordomo-Session-Id`. */
  readonly sessionId?: string | undefined
  /** Any further names: `{ Team: "search" }` is `X-Majordomo-Team: search`. */
  readonly metadata?: Readonly<Record<string, string | number | boolean | undefined>> | undefined
  /** `X-Majordomo-Provider`: where the path alone does not tell, `gemini` or a provider of the gateway's settings. */
  readonly provider?: string | undefined
  /** `X-Majordomo-Provider-Alias`: a name for the provider's key, so that several accounts are told apart. */
  readonly providerAlias?: string | undefined
}

export interface MajordomoOptions extends Tags {
  /** The gateway, without `/v1`. Default: `MAJORDOMO_GATEWAY_URL`, else `http://localhost:7680`. */
  readonly url?: string | undefined
  /** The gateway's key, not the provider's. Default: `MAJORDOMO_API_KEY`. */
  readonly apiKey?: string | undefined
}

/** Base URLs and headers for one gateway, one key and some tags, in the shape that each SDK takes. */
export interface Majordomo {
  /** The gateway, without a slash at its end. */
  readonly url: string
  /** The key and the tags; what a call adds to its SDK's own headers. Holds the key: do not log it. */
  readonly headers: Record<string, string>
  /** `new OpenAI({ ...openai })`; also LangChain's `configuration`. */
  readonly openai: { baseURL: string; defaultHeaders: Record<string, string> }
  /** `new Anthropic({ ...anthropic })` */
  readonly anthropic: { baseURL: string; defaultHeaders: Record<string, string> }
  /** `new GoogleGenAI({ apiKey, ...google })` */
  readonly google: { httpOptions: { baseUrl: string; headers: Record<string, string> } }
  /** `createOpenAI(vercel.openai)`, `createAnthropic(vercel.anthropic)`, `createGoogleGenerativeAI(vercel.google)` */
  readonly vercel: {
    readonly openai: { baseURL: string; headers: Record<string, string> }
    readonly anthropic: { baseURL: string; headers: Record<string, string> }
    readonly google: { baseURL: string; headers: Record<string, string> }
  }
  /** The same gateway and key with further tags; what is said again is said anew. */
  with(tags: Tags): Majordomo
}

/**
 * What an SDK needs to go through a majordomo-gateway.
 *
 *     const gateway = majordomo({ feature: "search" })
 *     const client = new OpenAI({ ...gateway.openai })
 *     await client.responses.create(body, { headers: gateway.with({ step: "rank" }).headers })
 *
 * Throws an Error that names what is missing, or what cannot be sent as a header.
 */
export function majordomo({ url, apiKey, ...tags }: MajordomoOptions = {}): Majordomo {
  const variables = typeof process === "undefined" ? {} : process.env
  const key = apiKey || variables["MAJORDOMO_API_KEY"]
  if (!key) throw new Error("MAJORDOMO_API_KEY environment variable is required")
  const address = url || variables["MAJORDOMO_GATEWAY_URL"] || "http://localhost:7680"
  return connect(toUrl(address, url ? "url" : "MAJORDOMO_GATEWAY_URL"), key, tags)
}

function connect(url: string, key: string, tags: Tags): Majordomo {
  const headers = { "X-Majordomo-Key": toValue("the gateway's key", key), ...toHeaders(tags) }
  const at = (baseURL: string) => ({ baseURL, headers: { ...headers } })
  return {
    url,
    headers,
    openai: { baseURL: `${url}/v1`, defaultHeaders: { ...headers } },
    anthropic: { baseURL: url, defaultHeaders: { ...headers } },
    google: { httpOptions: { baseUrl: url, headers: { ...headers } } },
    vercel: { openai: at(`${url}/v1`), anthropic: at(`${url}/v1`), google: at(`${url}/v1beta`) },
    with: (more) => connect(url, key, { ...tags, ...more, metadata: { ...tags.metadata, ...more.metadata } }),
  }
}

function toHeaders({ metadata, provider, providerAlias, feature, step, userId, sessionId }: Tags) {
  const named = { Provider: provider, "Provider-Alias": providerAlias }
  const said = { Feature: feature, Step: step, "User-Id": userId, "Session-Id": sessionId, ...metadata }
  const headers: Record<string, string> = {}
  Object.keys(said).forEach(checkName)
  for (const [name, value] of Object.entries({ ...said, ...named })) {
    if (value === undefined || value === "") continue
    headers[`X-Majordomo-${name}`] = toValue(`the value of ${name}`, String(value))
  }
  return headers
}

/** Names that the gateway reads itself. */
const RESERVED: readonly string[] = ["key", "provider", "provider-alias", "request-id", "store-bodies"]

function checkName(name: string): void {
  if (RESERVED.includes(name.toLowerCase())) throw new Error(`metadata: X-Majordomo-${name} has a meaning of its own`)
  if (!/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(name)) {
    throw new Error(`metadata: a name has letters, digits and hyphens, got ${JSON.stringify(name)}`)
  }
}

/** Header values are bytes, and `fetch` takes a character for each: the gateway reads them as UTF-8 again. */
function toValue(what: string, value: string): string {
  if (/[\x00-\x1f\x7f]/.test(value)) throw new Error(`${what} has a line break or another control character in it`)
  return Array.from(new TextEncoder().encode(value), (byte) => String.fromCharCode(byte)).join("")
}

function toUrl(text: string, source: string): string {
  if (!/^https?:\/\/[^\s?#]+$/.test(text) || !URL.canParse(text)) {
    throw new Error(`${source}: expected an address such as http://localhost:7680, got ${JSON.stringify(text)}`)
  }
  return text.replace(/\/+$/, "")
}
