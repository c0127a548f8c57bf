import type { RawHeaders } from "../../core/call.ts"
import { GatewayError } from "../../core/errors.ts"
import { LimitError } from "../../core/limit-error.ts"
import type { MessageCapture } from "../../core/message-capture.ts"
import { NO_READING } from "../../core/usage.ts"
import { GOING_AWAY, MESSAGE_TOO_BIG, POLICY_VIOLATION } from "../../kit/websocket/protocol.ts"
import type { SocketProtocol, SocketReader, TurnBegin } from "../../providers/_sockets.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import { isClear } from "./clear-message.ts"
import type { SessionEnd } from "./counters.ts"
import { KeyCheck } from "./key-check.ts"
import type { SessionOpening } from "./opening.ts"
import {
  ABORTED,
  type Closing,
  IDLE,
  isEndOfKey,
  STOPPING,
  TOO_OLD,
  toClosing,
  toInterruption,
  UNCLEAR,
  UNREADABLE,
} from "./session-end.ts"
import { nameSession, type SessionRequests } from "./session-requests.ts"
import type { SessionSteps } from "./session-steps.ts"
import { SessionTurns } from "./session-turns.ts"
import type { Tunnel } from "./tunnel.ts"
import type { Side, TunnelEnd, TunnelWatcher, Verdict } from "./watcher.ts"

interface SessionParts {
  readonly steps: SessionSteps
  readonly requests: SessionRequests
  /** Called once, when the tunnel has ended. */
  onEnded(reason: SessionEnd): void
}

/**
 * One WebSocket: reads a copy of its messages, and makes a request with a row of its own of each response in it. Nothing
 * here delays or changes what passes, unless a message of the client may have to be rejected.
 */
export class Session implements TunnelWatcher {
  private readonly openedAt = performance.now()
  private readonly parts: SessionParts
  private readonly handshake: ProxiedRequest
  private readonly headers: RawHeaders
  private readonly firstByteMs: number
  private readonly sockets: SocketProtocol
  private readonly reader: SocketReader | undefined
  private readonly messages: MessageCapture | undefined
  private readonly key: KeyCheck
  private readonly turns: SessionTurns
  private tunnel: Tunnel | undefined
  private isDraining = false
  private hasEnded = false
  private closing: Closing | undefined

  constructor(parts: SessionParts, opening: Pick<SessionOpening, "request" | "headers" | "firstByteMs">) {
    const { steps, requests } = parts
    const { request: handshake, headers, firstByteMs } = opening
    this.parts = parts
    this.handshake = handshake
    this.headers = headers
    this.firstByteMs = firstByteMs
    // A handshake is forwarded only if its API has WebSockets.
    this.sockets = handshake.dialect.sockets!
    this.messages = steps.deps.openMessages?.(handshake.call)
    this.key = new KeyCheck(steps, handshake, (error) => this.onKeyError(error))
    this.turns = new SessionTurns({
      ...{ steps, requests, handshake, headers, key: this.key, messages: this.messages },
      onRefused: (error, asked, turn) => this.onRefused(error, asked, turn),
      onForbidden: (error) => this.cut("rejected", error),
    })
    this.reader = this.attempt(() => this.sockets.createReader(handshake.providerRequest))
  }

  /** Must be called before the first message passes. */
  start(tunnel: Tunnel): void {
    this.tunnel = tunnel
    this.updateGate()
  }

  onMessage(from: Side, message: Buffer): Verdict | Promise<Verdict> {
    const { messages, bytes } = this.parts.steps.counters.sockets
    messages[from]++
    bytes[from] += message.length
    if (from === "client") return this.onClient(message)
    this.onProvider(message)
    return "pass"
  }

  onUnread(from: Side, bytes: number): void {
    const { sockets } = this.parts.steps.counters
    sockets.unread[from]++
    sockets.bytes[from] += bytes
    this.turns.hasGaps = true
    if (from === "provider") this.turns.onUnread()
    else if (this.tunnel?.isGated) this.cut("rejected", UNREADABLE, MESSAGE_TOO_BIG)
  }

  onEnd(end: TunnelEnd): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.closing = toClosing(end, this.closing)
    this.turns.interrupt(toInterruption(end, this.closing))
    this.messages?.close()
    if (this.turns.isFirst) this.settleHandshake()
    this.parts.onEnded(this.closing?.reason ?? (end.by === "provider" ? "provider" : "client"))
  }

  /** Does what is due: to be called several times a second. */
  review(now: number): void {
    const { idleTimeoutMs } = this.parts.steps.deps.settings.websockets
    if (this.tunnel!.lastActiveAt + idleTimeoutMs < now) this.close(IDLE)
    this.closeIfDue(now)
    if (this.closing !== undefined) return
    this.key.start()
    this.updateGate()
  }

  /** Closes the session as soon as none of its turns is running. */
  drain(): void {
    this.isDraining = true
    this.closeIfDue(performance.now())
  }

  /** Ends the session with its running turns, because the time for them is over. */
  abort(): void {
    this.closing = ABORTED
    this.tunnel?.destroy()
  }

  private updateGate(): void {
    if (this.tunnel !== undefined) this.tunnel.isGated = this.parts.requests.mayReject(this.key.caller)
  }

  private onClient(message: Buffer): Verdict | Promise<Verdict> {
    const isGated = this.tunnel?.isGated ?? false
    if (isGated && this.closing !== undefined) return "drop"
    this.messages?.push(message)
    let begin: TurnBegin | undefined
    try {
      begin = this.reader?.onClient(message)
    } catch (error) {
      this.onReaderError(error)
      // A message that cannot be checked does not pass a limit or the policy of a key.
      if (!isGated) return "pass"
      this.say(new GatewayError("internal_error", "internal error"), message)
      return "drop"
    }
    if (begin === undefined) {
      if (!isGated || isClear(message, this.sockets.askingNames)) return "pass"
      this.say(UNCLEAR, message)
      return "drop"
    }
    this.turns.endSilent()
    if (isGated) return this.turns.decide(begin, message)
    this.turns.begin(begin)
    return "pass"
  }

  private onProvider(message: Buffer): void {
    try {
      const found = this.reader?.onProvider(message)
      if (found === undefined) return
      this.turns.onMessage(found, message)
      if (found.ends !== undefined) this.closeIfDue(performance.now())
    } catch (error) {
      this.onReaderError(error)
      this.turns.onUnread()
    }
  }

  /** The row of a session without a turn. Nothing is billed then, as far as all of its messages were read. */
  private settleHandshake(): void {
    const { handshake, firstByteMs, headers, turns } = this
    const { steps } = this.parts
    if (steps.deps.settings.attribution.session) nameSession(handshake.call)
    const reading = { ...NO_READING, free: !turns.hasGaps }
    const respondedAt = handshake.call.receivedAt + firstByteMs
    const answer = { outcome: "complete", statusCode: 101, firstByteMs, respondedAt, streamed: true } as const
    steps.settle(handshake, { ...answer, error: this.closing?.message, reading }, headers, () => {})
  }

  private onRefused(error: GatewayError, asked: Buffer, turn: string): void {
    this.attempt(() => this.reader?.onRejected(turn))
    if (isEndOfKey(error)) this.cut("key", error)
    else this.say(error, asked)
  }

  private onKeyError(error: unknown): void {
    if (!(error instanceof GatewayError)) this.parts.steps.deps.onError(error, "WebSocket session")
    // While the database does not answer, the session stays open.
    else if (isEndOfKey(error)) this.cut("key", error)
  }

  private closeIfDue(now: number): void {
    if (!this.turns.isIdle) return
    if (this.isDraining) this.close(STOPPING)
    else if (this.openedAt + this.parts.steps.deps.settings.websockets.maxAgeMs < now) this.close(TOO_OLD)
  }

  private close(closing: Closing, code = GOING_AWAY): void {
    if (this.closing !== undefined || this.hasEnded) return
    this.closing = closing
    this.tunnel?.close(code, toReason(closing.message))
  }

  /** Closes the session with its running turns, and tells the client why. */
  private cut(reason: SessionEnd, error: GatewayError, code = POLICY_VIOLATION): void {
    if (this.closing !== undefined) return
    this.say(error, undefined)
    this.close({ reason, message: error.message }, code)
  }

  /** Sends an error of the gateway in the API's form. */
  private say(error: GatewayError, asked: Buffer | undefined): void {
    if (this.hasEnded) return
    this.attempt(() => {
      const measure = error instanceof LimitError ? error.measure : undefined
      const body = this.handshake.dialect.errorBody(error.code, error.status, error.message, measure)
      this.tunnel?.sendToClient(this.sockets.errorMessage({ statusCode: error.status, body }, asked))
    })
  }

  private onReaderError(error: unknown): void {
    this.turns.hasGaps = true
    this.parts.steps.deps.onError(error, `dialect ${this.handshake.route.format}`)
  }

  /** A bug in code that reads costs usage only, never what passes, nor a row. */
  private attempt<T>(work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      this.onReaderError(error)
      return undefined
    }
  }
}

/** Returns the reason of a close frame. It is ASCII, so that no character is cut in two. */
function toReason(message: string): string {
  return message.replaceAll(/[^ -~]/g, "?")
}
