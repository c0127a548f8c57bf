import { CommandError } from "../core/errors.ts"
import { createTable } from "../core/table.ts"
import { NO_PARAMETER } from "./input.ts"
import { type Problem, toError } from "./problem.ts"
import { NO_ROUTE } from "./router.ts"

const TOKEN_ADVICE = {
  "--token": () => "give another one",
  MAJORDOMO_ADMIN_TOKEN: () => "correct MAJORDOMO_ADMIN_TOKEN, or give --token",
  login: (url: string) => `run majordomo-gateway login ${url}, or give --token`,
} as const

/** A gateway that is called from afar. */
export interface RemoteGateway {
  /** Its origin, such as `https://gateway.example.com`, possibly with a path before `/api/v1`. */
  readonly url: string
  /** An admin token. */
  readonly token: string | undefined
  /** Where the token is from, for what to do if the gateway does not accept it. */
  readonly tokenSource?: keyof typeof TOKEN_ADVICE
}

/** The gateway cannot be reached, or its connection ended before the answer. A call that only reads may be repeated. */
export class ConnectionError extends CommandError {}

const UNTRUSTED =
  "this machine does not trust the authority that signed its certificate: set NODE_EXTRA_CA_CERTS to the file of that authority"
const NO_TLS = "it does not speak TLS: write http:// in place of https://"

/** Why a connection cannot be opened, and what to do, by the code of the system, of OpenSSL or of the HTTP client. */
const REASONS: Readonly<Record<string, string>> = createTable({
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_HAS_EXPIRED: "its certificate has expired: renew it",
  CERT_NOT_YET_VALID: "its certificate is not valid yet: check the clock of this machine",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name: use the name of the certificate",
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  // The list of such ports: https://fetch.spec.whatwg.org/#port-blocking
  "bad port": "HTTP clients do not connect to this port: let it listen at another one",
  ENOTFOUND: "no machine has this name: correct the address",
  EAI_AGAIN: "its name cannot be looked up now: check the network of this machine",
})

/** Codes of a connection that was open, so that the gateway may have done what it was asked for. */
const WAS_OPEN = /^(UND_ERR_SOCKET|UND_ERR_HEADERS_TIMEOUT|ECONNRESET|EPIPE|HPE_\w+)$/
const UNKNOWN = "it is not known whether it was done, so look before you run it again"

interface CallKind {
  /** The call changes nothing. */
  readonly isRead: boolean
}

/** Returns the error of a call that got no answer, usually because the connection could not be opened. */
export function toConnectError({ url }: RemoteGateway, error: unknown, { isRead }: CallKind): ConnectionError {
  const code = toCause(error)
  if (WAS_OPEN.test(code)) {
    const hint = url.startsWith("http:") ? "; if it speaks TLS, write https:// in place of http://" : ""
    const todo = isRead ? "run it again" : UNKNOWN
    return new ConnectionError(
      `the gateway at ${url} closed the connection without an answer (${code}): ${todo}${hint}`,
    )
  }
  const reason = Object.hasOwn(REASONS, code) ? REASONS[code] : undefined
  const message =
    reason === undefined
      ? `no gateway answers at ${url} (${code}): start it, or correct the address`
      : `the gateway at ${url} cannot be reached (${code}), because ${reason}`
  return new ConnectionError(message)
}

/** Returns the error of a connection that ended before the answer was complete. */
export function toEndError({ url }: RemoteGateway, error: unknown, { isRead }: CallKind): ConnectionError {
  const cause = error === undefined ? "" : ` (${toCause(error)})`
  return new ConnectionError(
    `the connection to ${url} ended before the answer${cause}: ${isRead ? "run it again" : UNKNOWN}`,
  )
}

/** Returns the code of the system's error, which says more than "fetch failed". */
function toCause(error: unknown): string {
  const { cause, message } = error as Error & { readonly cause?: { readonly code?: string; readonly message?: string } }
  return cause?.code ?? cause?.message ?? message
}

/** Whether a response is that of the admin API, and not of a proxy or of another server. */
export function isEventStream(response: Response): boolean {
  return response.ok && /^text\/event-stream\b/i.test(response.headers.get("content-type") ?? "")
}

/** Returns the error that a response without events stands for. */
export async function toResponseError(gateway: RemoteGateway, response: Response): Promise<CommandError> {
  const body: unknown = await response.json().catch(() => undefined)
  return isProblem(body) ? toProblemError(gateway, body) : toForeignError(gateway, response, body)
}

function isProblem(body: unknown): body is Problem {
  const { code, detail } = (body ?? {}) as Partial<Record<keyof Problem, unknown>>
  return typeof code === "string" && typeof detail === "string"
}

/** Returns the error of a problem, with what to do about it from afar. */
export function toProblemError(gateway: RemoteGateway, problem: Problem): CommandError {
  const { url, token, tokenSource = "login" } = gateway
  const older = toOlderError(gateway, problem)
  if (older !== undefined) return older
  switch (problem.code) {
    case "unauthenticated":
      return new CommandError(
        token === undefined
          ? `the gateway at ${url} needs an admin token: ${TOKEN_ADVICE.login(url)}`
          : `the gateway at ${url} does not accept this admin token, because it is unknown, expired or revoked: ${TOKEN_ADVICE[tokenSource](url)}`,
      )
    case "forbidden":
      return new CommandError(
        `${problem.detail}: use a token that majordomo-gateway tokens create has made with that role`,
      )
    case "internal_error":
      return new CommandError(`the gateway at ${url} failed, because of a bug of its own; its log has the error`)
    default:
      return toError(problem)
  }
}

/** Returns the error of a gateway that does not know the route or one of its parameters, which the command knows. */
function toOlderError({ url }: RemoteGateway, { code, detail, field }: Problem): CommandError | undefined {
  if (code === "method_not_allowed" || (code === "not_found" && detail.startsWith(NO_ROUTE))) {
    return new CommandError(`the gateway at ${url} does not know this command, because it is older: upgrade it`)
  }
  if (code !== "invalid_input" || detail !== NO_PARAMETER) return undefined
  return new CommandError(
    `the gateway at ${url} does not know --${field?.replaceAll("_", "-")}, because it is older: upgrade it, or leave the option out`,
  )
}

/** Returns the error of an answer that is not from the admin API, but from a proxy or from another server. */
function toForeignError({ url }: RemoteGateway, { status, headers }: Response, body: unknown): CommandError {
  if (status === 502 || status === 503 || status === 504) {
    const message = `a proxy answers at ${url}, and the gateway behind it does not (status ${status}): start it`
    return new ConnectionError(message)
  }
  const { message, code } = readError(body)
  if (code === "unknown_path") {
    return new CommandError(`the gateway at ${url} has no admin API there: see its admin.enabled and admin.port`)
  }
  if (message !== undefined) return new CommandError(`${url} answers with status ${status}: ${message}`)
  const where = status >= 300 && status < 400 ? `, which redirects to ${headers.get("location")}` : ""
  return new CommandError(`${url} is not the admin API of a gateway (status ${status})${where}: correct the address`)
}

/** Reads an error in the form of OpenAI's, as a gateway sends it outside of its admin API, such as for an unknown host. */
function readError(body: unknown): { readonly message?: string; readonly code?: unknown } {
  const { message, code } =
    (body as { readonly error?: Readonly<Record<string, unknown>> | null } | undefined)?.error ?? {}
  return { ...(typeof message === "string" && { message: message.slice(0, 300) }), code }
}
