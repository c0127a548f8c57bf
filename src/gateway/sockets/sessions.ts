import type { ServerResponse } from "node:http"
import { GatewayError } from "../../core/errors.ts"
import { findRaw } from "../../core/raw-headers.ts"
import { createSocketBudget } from "./budget.ts"
import type { SessionOpening } from "./opening.ts"
import { Session } from "./session.ts"
import { createSessionRequests, type SessionRequests } from "./session-requests.ts"
import type { SessionSteps } from "./session-steps.ts"
import { openTunnel } from "./tunnel.ts"

/** How often open sessions are reviewed: a key that was revoked is noticed within this time. */
const REVIEW_MS = 400

/** The WebSocket sessions of one gateway. */
export class Sessions {
  private readonly steps: SessionSteps
  private readonly requests: SessionRequests
  private readonly budget = createSocketBudget()
  private readonly open = new Set<Session>()
  private timer: NodeJS.Timeout | undefined
  private isDraining = false
  /** The connections of clients that are WebSockets, or may become one. */
  private connections = 0

  constructor(steps: SessionSteps) {
    this.steps = steps
    this.requests = createSessionRequests(steps)
  }

  /**
   * Counts the connection of a handshake until it closes. One that the provider has not answered counts too, so that slow
   * answers do not let more WebSockets in.
   * @throws GatewayError `too_many_websockets`
   */
  admit(response: ServerResponse): void {
    if (this.connections >= this.steps.deps.settings.websockets.maxOpen) {
      throw new GatewayError("too_many_websockets", "The gateway has too many open WebSockets. Try again shortly.")
    }
    this.connections++
    response.on("close", () => this.connections--)
  }

  /** Relays a WebSocket that a provider has opened. Its session stores the rows. */
  start({ client, provider, ...opening }: SessionOpening): void {
    const { request, headers } = opening
    // The reservation of the handshake was for the decision alone: each turn reserves what it may use.
    request.reservation?.release()
    request.reservation = undefined
    const { counters, deps } = this.steps
    const session = new Session(
      {
        steps: this.steps,
        requests: this.requests,
        onEnded: (reason) => {
          counters.sockets.ends[reason]++
          this.remove(session)
        },
      },
      opening,
    )
    this.open.add(session)
    counters.sockets.open++
    this.timer ??= setInterval(() => this.review(), REVIEW_MS).unref()
    const extensions = findRaw(headers, "sec-websocket-extensions")
    const { writeTimeoutMs } = deps.settings
    const { budget } = this
    session.start(openTunnel({ client, provider, extensions, writeTimeoutMs, budget }, session))
    if (this.isDraining) session.drain()
    if (counters.isAborting) session.abort()
  }

  /** Closes each session as soon as none of its turns is running. */
  drain(): void {
    this.isDraining = true
    for (const session of this.open) session.drain()
  }

  /** Ends all sessions with their running turns. */
  abort(): void {
    for (const session of this.open) session.abort()
  }

  private review(): void {
    const now = performance.now()
    for (const session of this.open) session.review(now)
  }

  private remove(session: Session): void {
    this.open.delete(session)
    this.steps.counters.sockets.open--
    if (this.open.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }
}
