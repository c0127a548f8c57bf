import { GatewayError, type GatewayErrorCode } from "../../core/errors.ts"
import { INTERRUPTIONS } from "../endings.ts"
import type { SessionEnd } from "./counters.ts"
import type { Interruption } from "./turn.ts"
import type { TunnelEnd } from "./watcher.ts"

/** Why the gateway itself closes a session. The client gets the message as the reason of its close frame. */
export interface Closing {
  readonly reason: SessionEnd
  readonly message: string
}

export const ABORTED: Closing = { reason: "shutdown", message: INTERRUPTIONS.aborted }
export const STOPPING: Closing = { reason: "shutdown", message: "the gateway is shutting down, connect again" }
export const IDLE: Closing = { reason: "idle", message: "nothing was sent for websockets.idle_timeout, connect again" }
export const TOO_OLD: Closing = {
  reason: "age",
  message: "the connection is older than websockets.max_age, connect again",
}

/** The tunnel cannot leave out one message of a compressed stream, so that it closes instead. */
const CANNOT_DROP: Closing = { reason: "rejected", message: "the gateway rejected a message of this connection" }

/** A message of the client cannot be read, although a limit or the policy of its key applies. */
export const UNREADABLE = new GatewayError(
  "body_too_large",
  "The gateway cannot read a message, because it is too large or not valid, and a limit or the policy of this key applies to it. Send the request over HTTP.",
)

/** A message of the client in which the provider may read something else than the gateway. */
export const UNCLEAR = new GatewayError(
  "bad_request",
  "A limit or the policy of this key applies to this connection, so that each message must be one JSON object in UTF-8 that says once what it asks for.",
)

/** The errors after which a key may not be used for the session any more. */
const ENDS_OF_KEYS: ReadonlySet<GatewayErrorCode> = new Set([
  "invalid_gateway_key",
  "expired_gateway_key",
  "provider_not_allowed",
])

export function isEndOfKey({ code }: GatewayError): boolean {
  return ENDS_OF_KEYS.has(code)
}

/** Returns why the gateway closed a session; undefined: it did not, or a side did not read what it was sent. */
export function toClosing({ by, code }: TunnelEnd, closing: Closing | undefined): Closing | undefined {
  return closing ?? (by === "gateway" && code !== undefined ? CANNOT_DROP : undefined)
}

/** Returns how a turn ended that was still running at the end of its session. */
export function toInterruption({ by }: TunnelEnd, closing: Closing | undefined): Interruption {
  if (closing?.reason === "idle") return { outcome: "upstream_broke", error: INTERRUPTIONS.providerSilent }
  if (closing !== undefined) return { outcome: "shutdown", error: closing.message }
  if (by === "provider") return { outcome: "upstream_broke", error: INTERRUPTIONS.providerBrokeOff }
  return { outcome: "client_left", error: INTERRUPTIONS.clientLeft }
}
