/** Describes calls. The gateway stores tags with each request, and reports group and filter by them. All are optional. */
export interface Tags {
  /** The feature of your product that makes the calls. Sent as `X-Majordomo-Feature`. */
  readonly feature?: string | undefined
  /** The step of an agent or pipeline. Sent as `X-Majordomo-Step`. */
  readonly step?: string | undefined
  /** Your id of the user on whose behalf the calls are made. Sent as `X-Majordomo-User-Id`. */
  readonly userId?: string | undefined
  /** Your id of the session or conversation. Sent as `X-Majordomo-Session-Id`. */
  readonly sessionId?: string | undefined
  /** Further tags by name. `{ Team: "search" }` is sent as `X-Majordomo-Team: search`. */
  readonly metadata?: Readonly<Record<string, string | number | boolean | undefined>> | undefined
  /**
   * The provider to call, if the path alone does not determine it: `gemini`, or the name of a provider in the gateway's
   * configuration. Sent as `X-Majordomo-Provider`.
   */
  readonly provider?: string | undefined
  /** A name for the provider's key, to tell several accounts apart. Sent as `X-Majordomo-Provider-Alias`. */
  readonly providerAlias?: string | undefined
}

/** The options of `majordomo()`: where the gateway is, and the tags of all calls. */
export interface MajordomoOptions extends Tags {
  /**
   * The base URL of the gateway, without `/v1`. Defaults to the environment variable `MAJORDOMO_GATEWAY_URL`, and then to
   * `http://localhost:7680`.
   */
  readonly url?: string | undefined
  /** The API key of the gateway, not of the provider. Defaults to the environment variable `MAJORDOMO_API_KEY`. */
  readonly apiKey?: string | undefined
}

/** A connection to one gateway, with one key and some tags, in the form that each SDK expects. */
export interface Majordomo {
  /** The base URL of the gateway, without a slash at the end. */
  readonly url: string
  /**
   * The headers to send with a call, in addition to those of the SDK: the key and the tags. They contain the key, so do
   * not log them.
   */
  readonly headers: Record<string, string>
  /** Options for the OpenAI SDK: `new OpenAI({ ...openai })`. LangChain takes them as `configuration`. */
  readonly openai: { baseURL: string; defaultHeaders: Record<string, string> }
  /** Options for the Anthropic SDK: `new Anthropic({ ...anthropic })`. */
  readonly anthropic: { baseURL: string; defaultHeaders: Record<string, string> }
  /** Options for the Google Gen AI SDK: `new GoogleGenAI({ apiKey, ...google })`. */
  readonly google: { httpOptions: { baseUrl: string; headers: Record<string, string> } }
  /**
   * Options for the providers of the Vercel AI SDK: `createOpenAI(vercel.openai)`, `createAnthropic(vercel.anthropic)`,
   * `createGoogleGenerativeAI(vercel.google)`.
   */
  readonly vercel: {
    readonly openai: { baseURL: string; headers: Record<string, string> }
    readonly anthropic: { baseURL: string; headers: Record<string, string> }
    readonly google: { baseURL: string; headers: Record<string, string> }
  }
  /** Returns the same connection with more tags. A tag that is given again replaces the earlier one. */
  with(tags: Tags): Majordomo
}

/**
 * Creates the options with which an SDK sends its calls through a Majordomo gateway. Nothing is sent.
 *
 * @example
 * const gateway = majordomo({ feature: "search" })
 * const client = new OpenAI({ ...gateway.openai })
 * await client.responses.create(body, { headers: gateway.with({ step: "rank" }).headers })
 *
 * @throws Error if the key is missing, the URL is not valid, or a tag cannot be sent as a header
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
  const to = (baseURL: string) => ({ baseURL, headers: { ...headers } })
  return {
    url,
    headers,
    openai: { baseURL: `${url}/v1`, defaultHeaders: { ...headers } },
    anthropic: { baseURL: url, defaultHeaders: { ...headers } },
    google: { httpOptions: { baseUrl: url, headers: { ...headers } } },
    vercel: { openai: to(`${url}/v1`), anthropic: to(`${url}/v1`), google: to(`${url}/v1beta`) },
    with: (more) => connect(url, key, { ...tags, ...more, metadata: { ...tags.metadata, ...more.metadata } }),
  }
}

function toHeaders({ metadata, provider, providerAlias, feature, step, userId, sessionId }: Tags) {
  const named = { Provider: provider, "Provider-Alias": providerAlias }
  const tags = { Feature: feature, Step: step, "User-Id": userId, "Session-Id": sessionId, ...metadata }
  const headers: Record<string, string> = {}
  Object.keys(tags).forEach(checkName)
  for (const [name, value] of Object.entries({ ...tags, ...named })) {
    if (value === undefined || value === "") continue
    headers[`X-Majordomo-${name}`] = toValue(`the value of ${name}`, String(value))
  }
  return headers
}

/** The names of headers that the gateway itself uses. */
const RESERVED: readonly string[] = ["cost", "key", "provider", "provider-alias", "store-bodies"]

function checkName(name: string): void {
  if (RESERVED.includes(name.toLowerCase()))
    throw new Error(`metadata: X-Majordomo-${name} is reserved; choose another name`)
  if (!/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(name)) {
    throw new Error(`metadata: a name may contain letters, digits and hyphens, got ${JSON.stringify(name)}`)
  }
}

/** Encodes a value as UTF-8 with one character for each byte, as `fetch` expects it. The gateway decodes it. */
function toValue(what: string, value: string): string {
  if (/[\x00-\x1f\x7f]/.test(value)) throw new Error(`${what} contains a line break or another control character`)
  return Array.from(new TextEncoder().encode(value), (byte) => String.fromCharCode(byte)).join("")
}

function toUrl(text: string, source: string): string {
  if (!/^https?:\/\/[^\s?#]+$/.test(text) || !URL.canParse(text)) {
    throw new Error(`${source}: expected a URL such as http://localhost:7680, got ${JSON.stringify(text)}`)
  }
  return text.replace(/\/+$/, "")
}
