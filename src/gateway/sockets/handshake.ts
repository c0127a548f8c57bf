import type { IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { GatewayError } from "../../core/errors.ts"
import { toHeaderLines } from "../../kit/http/fields.ts"
import { isHandshake, takeSocket } from "../../kit/websocket/handshake.ts"
import type { Deps } from "../deps.ts"
import { release } from "../forward.ts"
import { toClientHeaders } from "../headers.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import { Relay } from "../relay.ts"
import type { RelaySteps } from "../relay-steps.ts"
import type { Route } from "../route.ts"

/**
 * Rejects a WebSocket where the API has none. Clients such as Codex take status 426 as the request to use HTTP instead.
 *
 * @throws GatewayError `upgrade_required`
 */
export function checkHandshake(
  { dialects, settings }: Pick<Deps, "dialects" | "settings">,
  request: IncomingMessage,
  { format, path }: Route,
): void {
  if (request.headers.upgrade === undefined || !isHandshake(request)) return
  const isEnabled = settings.websockets.enabled
  if (isEnabled && dialects[format].sockets?.opens(path)) return
  throw new GatewayError(
    "upgrade_required",
    isEnabled
      ? "The gateway knows no WebSocket at this path. Send the request over HTTP, and use server-sent events for streams."
      : "This gateway does not relay WebSockets (websockets.enabled). Send the request over HTTP, and use server-sent events for streams.",
  )
}

/**
 * Forwards the handshake of a WebSocket. If the provider opens it, a session takes over. Every other answer is relayed
 * like that to any request, and then the connection is closed.
 */
export function startHandshake(steps: RelaySteps, request: ProxiedRequest): void {
  const relay = new Relay(steps, request)
  const onUpgrade = (_statusCode: number, headers: string[], socket: Duplex) => {
    release(request)
    // The session settles the request itself, and thousands of them should not keep what relayed their handshakes.
    request.response.off("close", relay.onClosed)
    const client = takeSocket(request.response.req)
    client.write(toHead(request, headers), "latin1")
    steps.openSession({ request, headers, client, provider: socket as Socket, firstByteMs: request.elapsedMs() })
  }
  Object.assign(relay, { onUpgrade }).start()
}

/** Returns the head of the answer 101: the provider's headers, so that the two ends agree with each other alone. */
function toHead({ call, reservation }: ProxiedRequest, provided: readonly string[]): string {
  const headers = toClientHeaders(provided, { dropLength: true })
  headers.push("Connection", "Upgrade", "Upgrade", "websocket", "X-Majordomo-Request-Id", call.id)
  reservation?.addRemaining(headers)
  return `HTTP/1.1 101 Switching Protocols\r\n${toHeaderLines(headers)}\r\n`
}
