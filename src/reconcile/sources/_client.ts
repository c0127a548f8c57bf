import { setTimeout as sleep } from "node:timers/promises"
import { CommandError } from "../../core/errors.ts"
import { readRetryAfter } from "../../kit/fetch-answer.ts"
import { isRecord } from "../../kit/json/is-record.ts"
import type { Proxies } from "../../kit/proxy/proxies.ts"
import { type Failure, toSourceError } from "./_failure.ts"
import { parseExactJson } from "./_json.ts"
import type { Answer, ProviderWords, Query, SourceOptions } from "./_source.ts"

/** How the API of one provider is reached. */
export interface Endpoint {
  readonly words: ProviderWords
  readonly baseUrl: string
  /** The end of a base URL that belongs to the paths of the requests, such as `/v1`. */
  readonly versionPath: string
  readonly headers: (credential: string, path: string) => Readonly<Record<string, string>>
  /** The response header with the id of the account. */
  readonly accountHeader: string | undefined
}

const TIMEOUT_MS = 60_000
const MAX_BYTES = 64 * 1024 * 1024
const ATTEMPTS = 5
const FIRST_DELAY_MS = 1000
/** Longer waits that a provider asks for are left to the person, or to the next daily run. */
const MAX_DELAY_MS = 120_000
/** More of an error body is not read. */
const MAX_ERROR_BYTES = 64 * 1024

/** Creates the function that gets one page of a report, and repeats requests that may succeed later. */
export function createGet(endpoint: Endpoint, options: SourceOptions, signal: AbortSignal | undefined) {
  const base = toBaseUrl(options.baseUrl ?? endpoint.baseUrl, endpoint)
  const { wait = (ms, aborted) => sleep(ms, undefined, { signal: aborted }), now = Date.now } = options

  return async (path: string, query: Query): Promise<Answer> => {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted()
      const result = await request(`${base}${path}${toQueryText(query)}`, endpoint, options, signal)
      if (!("failure" in result)) return result
      signal?.throwIfAborted()
      const delay = toDelay(result.failure, attempt, now())
      if (delay === undefined) throw toSourceError(result.failure, endpoint.words, options.credential)
      await wait(delay, signal)
    }
  }
}

async function request(
  url: string,
  { headers, accountHeader }: Endpoint,
  { credential, proxies, timeoutMs = TIMEOUT_MS, fetch = globalThis.fetch }: SourceOptions,
  signal: AbortSignal | undefined,
): Promise<Answer | { readonly failure: Failure }> {
  const path = new URL(url).pathname
  const deadline = AbortSignal.timeout(timeoutMs)
  const dispatcher = await createDispatcher(proxies)
  try {
    const through: object = dispatcher === undefined ? {} : { dispatcher }
    const response = await fetch(url, {
      ...through,
      headers: { accept: "application/json", "user-agent": "majordomo-gateway", ...headers(credential, path) },
      // A redirect is never followed, because the request carries the credential.
      redirect: "manual",
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    })
    const isOk = response.status === 200
    const text = await readText(response, isOk ? MAX_BYTES : MAX_ERROR_BYTES)
    if (!isOk) return { failure: { kind: "status", path, response, text: text ?? "" } }
    if (text === undefined) return { failure: { kind: "body", path, why: `it is larger than ${MAX_BYTES} bytes` } }
    const body = parseBody(text)
    if (body === undefined) return { failure: { kind: "body", path, why: "it is not a JSON object" } }
    return { body, account: (accountHeader && response.headers.get(accountHeader)) || undefined }
  } catch (error) {
    return { failure: { kind: "connection", path, timeoutMs: deadline.aborted ? timeoutMs : undefined, error } }
  } finally {
    await dispatcher?.destroy()
  }
}

async function createDispatcher(proxies: Proxies | undefined) {
  return proxies && (await import("../../kit/proxy/fetch.ts")).createProxyDispatcher(proxies)
}

/** Reads a body; undefined if it is larger than `maxBytes`. */
async function readText(response: Response, maxBytes: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > maxBytes) return undefined
    chunks.push(chunk)
  }
  return new TextDecoder().decode(Buffer.concat(chunks))
}

function parseBody(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const body = parseExactJson(text)
    return isRecord(body) ? body : undefined
  } catch {
    return undefined
  }
}

/** Returns the time after which a request is repeated, in milliseconds; undefined if it is not. */
function toDelay(failure: Failure, attempt: number, now: number): number | undefined {
  if (attempt === ATTEMPTS || failure.kind === "body") return undefined
  const backoff = FIRST_DELAY_MS * 2 ** (attempt - 1)
  if (failure.kind === "connection") return backoff
  const { status, headers } = failure.response
  if (status !== 429 && status !== 408 && status < 500) return undefined
  const delay = readRetryAfter(headers.get("retry-after"), now) ?? backoff
  return delay > MAX_DELAY_MS ? undefined : delay
}

function toQueryText(query: Query): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const each of value) parameters.append(`${name}[]`, each)
    else if (value !== undefined) parameters.append(name, String(value))
  }
  const text = parameters.toString()
  return text === "" ? "" : `?${text}`
}

/** @throws CommandError if the credential would not be safe at the address */
function toBaseUrl(text: string, { words, versionPath }: Endpoint): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const problem = url === undefined ? "is not an address" : findProblem(url)
  if (url === undefined || problem !== undefined) {
    throw new CommandError(
      `The base URL for the bills of ${words.name} ${problem}. Use an address such as https://api.example.com.`,
    )
  }
  const path = url.pathname.replace(/\/+$/, "")
  return `${url.origin}${path.endsWith(versionPath) ? path.slice(0, -versionPath.length) : path}`
}

function findProblem({ protocol, hostname, username, password, search }: URL): string | undefined {
  if (username !== "" || password !== "" || search !== "") return "contains a user name, a password or a query"
  const isLoopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)
  if (protocol === "https:" || (protocol === "http:" && isLoopback)) return undefined
  return "does not begin with https://, so the credential could be read on its way"
}
