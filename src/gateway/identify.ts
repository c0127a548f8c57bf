import type { Caller, Headers } from "../core/call.ts"
import { GatewayError } from "../core/errors.ts"
import { hashOncePerSocket } from "./credential-hash.ts"

/** Whatever does not look like this was never minted, so no database is asked about it. */
const MINTED = /^mdm_sk_[A-Za-z0-9_-]{16,128}$/
const HELP =
  "Send a valid gateway key in the header X-Majordomo-Key (majordomo-gateway keys create --name NAME mints one)."

/**
 * Who is calling, by the hash of `X-Majordomo-Key`. A key in memory costs no waiting.
 *
 * @throws GatewayError `invalid_gateway_key` 401, `keys_unavailable` 503
 */
export function identify(
  { headers, socket }: { readonly headers: Headers; readonly socket: object },
  findCaller: (keyHash: string) => Caller | undefined | Promise<Caller | undefined>,
): Caller | Promise<Caller> {
  const key = headers["x-majordomo-key"]
  if (key === undefined) throw new GatewayError("invalid_gateway_key", `The gateway key is missing. ${HELP}`)
  if (!MINTED.test(String(key))) throw unknown()
  const hash = hashOncePerSocket(socket, String(key))
  const found = look(() => findCaller(hash))
  if (!(found instanceof Promise)) return found ?? refuse()
  return found.then((caller) => caller ?? refuse(), unavailable)
}

function look<T>(find: () => T): T {
  try {
    return find()
  } catch {
    return unavailable()
  }
}

function refuse(): never {
  throw unknown()
}

function unknown(): GatewayError {
  return new GatewayError("invalid_gateway_key", `The gateway key is unknown or revoked. ${HELP}`)
}

function unavailable(): never {
  throw new GatewayError("keys_unavailable", "The gateway cannot check keys at the moment. Try again shortly.")
}
