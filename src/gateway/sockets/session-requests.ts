import type { Call, Caller } from "../../core/call.ts"
import type { MessageCapture } from "../../core/message-capture.ts"
import { uuidV7 } from "../../kit/uuid.ts"
import type { TurnBegin } from "../../providers/_sockets.ts"
import { admit } from "../admit.ts"
import { checkMetadata, needsMetadata } from "../attribution/required.ts"
import { NO_BODY } from "../body.ts"
import { createReserve } from "../limits/reserve.ts"
import { checkModels, checkPolicy } from "../policy.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import type { SessionSteps } from "./session-steps.ts"

/** The parts of the session that a turn is built from. */
interface TurnFacts {
  /** The request that opened the session. */
  readonly handshake: ProxiedRequest
  readonly caller: Caller
  readonly begin: TurnBegin
  readonly messages: MessageCapture | undefined
  /** The first turn has the id of the handshake, whose intent is recorded already. */
  readonly isFirst: boolean
}

/** Makes the requests of a session's turns, and decides whether they may be forwarded. */
export interface SessionRequests {
  /** Returns the request of a turn: as if the client had sent its body over HTTP with the headers of the handshake. */
  build(facts: TurnFacts): ProxiedRequest
  /**
   * Checks what the key of a turn's client allows, and reserves what the turn may use. Returns a promise only if a limit has
   * too little left to answer at once.
   * @throws GatewayError, also as a rejection; no row is stored for it
   */
  admit(request: ProxiedRequest): void | Promise<void>
  /** Returns true if a turn of the client can be rejected, so that its messages have to wait for the decision. */
  mayReject(caller: Caller): boolean
}

export function createSessionRequests(steps: SessionSteps): SessionRequests {
  const { deps, build } = steps
  const reserve = createReserve(deps, ignore)
  const hasLimits = () => deps.limits !== undefined && !deps.limits.isEmpty

  function buildTurn({ handshake, caller, messages, isFirst }: Omit<TurnFacts, "begin">, body: Buffer): ProxiedRequest {
    const { call, route, credentials, response } = handshake
    const receivedAt = Date.now()
    const id = isFirst ? call.id : uuidV7(receivedAt)
    const startedAt = performance.now()
    const arrival = { id, receivedAt, startedAt, request: response.req, response, websocketId: call.id }
    const target = { path: call.path, query: call.query }
    const request = build(arrival, target, { caller, route, credentials }, body, undefined, messages?.take())
    const isRequired = caller.metadata?.required.includes("Session-Id")
    if (deps.settings.attribution.session && !isRequired) nameSession(request.call)
    return request
  }

  return {
    build(facts) {
      try {
        return buildTurn(facts, facts.begin.body)
      } catch (error) {
        // A body that the dialect cannot read costs the turn its model, not its row.
        deps.onError(error, "turn of a WebSocket")
        return buildTurn(facts, NO_BODY)
      }
    },
    admit(request) {
      const { call, caller, route, dialect } = request
      admit(deps)
      if (needsMetadata(caller, dialect, call.method, route.path)) checkMetadata(call.metadata, caller)
      if (caller.policy !== undefined) {
        checkPolicy(caller.policy, route.provider, call.receivedAt)
        checkModels(caller.policy, request)
      }
      if (hasLimits()) return reserve(deps.limits!, request)
    },
    mayReject: ({ policy, metadata }) =>
      policy !== undefined || (metadata?.required.length ?? 0) > 0 || hasLimits() || deps.ledger.isFull(),
  }
}

/** The rows of a session that the client does not name are one run: that of the WebSocket. */
export function nameSession(call: Call): void {
  if (call.websocketId === undefined || call.metadata["Session-Id"] !== undefined) return
  call.metadata = Object.assign(Object.create(null), call.metadata, { "Session-Id": call.websocketId })
}

function ignore(): void {}
