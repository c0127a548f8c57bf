import type { Socket } from "node:net"
import type { RawHeaders } from "../../core/call.ts"
import type { ProxiedRequest } from "../proxied-request.ts"

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
