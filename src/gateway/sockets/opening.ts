import type { Socket } from "node:net"
import type { Call, RawHeaders } from "../../core/call.ts"
import type { ProxiedRequest } from "../proxied-request.ts"

/** Returns true for the handshake of a WebSocket. Its turns have a body each. */
export function opensSession({ id, websocketId, body }: Pick<Call, "id" | "websocketId" | "body">): boolean {
  return websocketId === id && body.length === 0
}

/** A WebSocket that a provider has opened: all that its session needs. The client has got the answer 101. */
export interface SessionOpening {
  /** The handshake. Its intent is recorded, and its row is the session's to store, by `RelaySteps.settle`. */
  readonly request: ProxiedRequest
  /** The headers of the provider's answer. */
  readonly headers: RawHeaders
  readonly client: Socket
  readonly provider: Socket
  /** Milliseconds from the arrival of the handshake to the provider's answer. */
  readonly firstByteMs: number
}
