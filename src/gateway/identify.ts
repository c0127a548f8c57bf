import type { Caller, Headers } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import { type CredentialPlace, GATEWAY_KEY_PLACES, readMisplacedGatewayKey } from "../providers/_credentials.ts"
import { hashOncePerSocket } from "./credential-hash.ts"

/** The form of every gateway key. Nothing else is looked up in the database. */
const KEY_FORM = /^mdm_sk_[A-Za-z0-9_-]{16,128}$/
const HELP =
  "Send a valid gateway key in the header X-Majordomo-Key, or in place of the provider's API key. To create one, run majordomo-gateway keys create --name NAME."

interface Request {
  readonly headers: Headers
  readonly query: string
}

/**
 * Creates the step that finds the client of a request by the hash of its gateway key. The key stands in
 * `X-Majordomo-Key`, or in the place of a provider's credential. The step returns a promise only if the key is not in
 * memory.
 *
 * The step throws a GatewayError: `invalid_gateway_key` 401, `keys_unavailable` 503.
 */
export function createIdentify(
  places: readonly CredentialPlace[],
  findCaller: (keyHash: string) => Caller | undefined | Promise<Caller | undefined>,
): (request: Request, socket: object) => Caller | Promise<Caller> {
  const all = [...places, ...GATEWAY_KEY_PLACES]
  return (request, socket) => {
    const key = request.headers["x-majordomo-key"] ?? readMisplacedGatewayKey(all, request)
    if (key === undefined) throw new GatewayError("invalid_gateway_key", `The gateway key is missing. ${HELP}`)
    if (!KEY_FORM.test(String(key))) throw invalidKey()
    const hash = hashOncePerSocket(socket, String(key))
    const found = lookUp(() => findCaller(hash))
    if (!(found instanceof Promise)) return found ?? rejectKey()
    return found.then((caller) => caller ?? rejectKey(), throwUnavailable)
  }
}

function lookUp<T>(find: () => T): T {
  try {
    return find()
  } catch {
    return throwUnavailable()
  }
}

function rejectKey(): never {
  throw invalidKey()
}

function invalidKey(): GatewayError {
  return new GatewayError("invalid_gateway_key", `The gateway key is unknown or revoked. ${HELP}`)
}

function throwUnavailable(): never {
  throw new GatewayError("keys_unavailable", "The gateway cannot check keys at the moment. Try again shortly.")
}
