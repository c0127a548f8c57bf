import { redactSecrets } from "../../core/secrets.ts"
import { createTable } from "../../core/table.ts"
import { truncateText } from "../../core/text.ts"
import { readRetryAfter, readStart } from "../../kit/fetch-answer.ts"
import { type SendOptions, TIMEOUT_MS } from "./_send.ts"
import { DeliveryError } from "./delivery-error.ts"

/** One POST of JSON. */
interface Post {
  readonly url: string
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
  /** The parts of the address and the other secrets that a receiver may repeat in its answer. */
  readonly secrets: readonly string[]
}

/** More of an answer is not read. */
const MAX_ANSWER_BYTES = 16 * 1024
const MAX_SAID_LENGTH = 200
/** An answer between 400 and 499 means that the message is wrong, except for these, which another attempt may not get. */
const REPEATABLE = new Set([408, 425, 429])

/**
 * Sends a POST, and resolves if the answer has a status from 200 to 299. Redirects are not followed, because the message would
 * go to an address that nobody has configured.
 *
 * @throws DeliveryError
 */
export async function post({ url, body, headers, secrets }: Post, options: SendOptions): Promise<void> {
  const { proxies, signal, timeoutMs = TIMEOUT_MS, version, now } = options
  const deadline = AbortSignal.timeout(timeoutMs)
  const dispatcher = proxies && (await import("../../kit/proxy/fetch.ts")).createProxyDispatcher(proxies)
  try {
    const { address, authorization } = splitCredentials(url)
    const through: object = dispatcher === undefined ? {} : { dispatcher }
    const response = await fetch(address, {
      ...through,
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "User-Agent": `majordomo-gateway/${version}`,
        ...authorization,
        ...headers,
      },
      body,
      redirect: "manual",
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    })
    // Its connection can be used again only if the answer was read.
    const text = new TextDecoder().decode(await readStart(response, MAX_ANSWER_BYTES))
    if (!response.ok) throw toError(response, redact(text, secrets), now())
  } catch (error) {
    if (error instanceof DeliveryError) throw error
    if (deadline.aborted) throw new DeliveryError(`the receiver did not answer within ${timeoutMs / 1000} s`)
    throw new DeliveryError(`the receiver could not be reached: ${describeFailure(error)}`)
  } finally {
    await dispatcher?.destroy()
  }
}

/** `fetch` rejects an address with a user and a password, which belong into a header. */
function splitCredentials(text: string): { readonly address: URL; readonly authorization: Record<string, string> } {
  const url = new URL(text)
  const { username, password } = url
  if (username + password === "") return { address: url, authorization: {} }
  url.username = ""
  url.password = ""
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { address: url, authorization: { Authorization: `Basic ${Buffer.from(pair).toString("base64")}` } }
}

function toError({ status, headers }: Response, said: string, now: number): DeliveryError {
  if (status >= 300 && status < 400) {
    const message = `the receiver answered ${status}, a redirect, which is not followed: set the new address`
    return new DeliveryError(message, { isPermanent: true })
  }
  const isPage = /html/i.test(headers.get("content-type") ?? "")
  const message = `the receiver answered ${status}${said === "" || isPage ? "" : `: ${said}`}`
  const isPermanent = status >= 400 && status < 500 && !REPEATABLE.has(status)
  return new DeliveryError(message, { isPermanent, retryAfterMs: readRetryAfter(headers.get("retry-after"), now) })
}

/** Returns the answer's text on one line, without secrets. */
function redact(text: string, secrets: readonly string[]): string {
  const clean = secrets.reduce((rest, secret) => rest.replaceAll(secret, "***"), text)
  return truncateText(
    redactSecrets(clean)
      .replaceAll(/[\p{Cc}\s]+/gu, " ")
      .trim(),
    MAX_SAID_LENGTH,
  )
}

const REASONS: Readonly<Record<string, string>> = createTable({
  ECONNREFUSED: "nothing listens at its address",
  ENOTFOUND: "its host name is not known",
  EAI_AGAIN: "its host name could not be looked up",
  EHOSTUNREACH: "there is no route to its host",
  ENETUNREACH: "there is no route to its network",
  UND_ERR_CONNECT_TIMEOUT: "its host does not answer",
  ETIMEDOUT: "its host does not answer",
})

/** Describes an error of the connection by its code, because its message contains the address. */
export function describeFailure(error: unknown): string {
  const { code, cause } = (error ?? {}) as { readonly code?: unknown; readonly cause?: unknown }
  const inner = (cause ?? {}) as { readonly code?: unknown; readonly message?: unknown }
  const found = [inner.code, code].find((each) => typeof each === "string")
  // The messages of a proxy are our own.
  if (found === "EPROXY") return String(inner.message ?? "the proxy gave no connection")
  if (typeof found !== "string") return "the connection broke"
  return (
    REASONS[found] ??
    (/^(CERT|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(found)
      ? `its TLS certificate was not accepted (${found})`
      : `the connection broke (${found})`)
  )
}
