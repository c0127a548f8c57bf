import type { RawHeaders } from "../../core/call.ts"
import { GatewayError } from "../../core/errors.ts"
import type { MessageCapture } from "../../core/message-capture.ts"
import type { TurnBegin, TurnMessage } from "../../providers/_sockets.ts"
import { toUnforwardedEnding } from "../endings.ts"
import { recordIntent } from "../intent.ts"
import type { ProxiedRequest } from "../proxied-request.ts"
import { ClientLeft } from "../read-body.ts"
import type { KeyCheck } from "./key-check.ts"
import type { SessionRequests } from "./session-requests.ts"
import type { SessionSteps } from "./session-steps.ts"
import { type Interruption, Turn } from "./turn.ts"
import type { Verdict } from "./watcher.ts"

/** The responses of one session that run at a time, and the bytes of their requests, which stay in memory while they run. */
const MAX_RUNNING = 1000
const MAX_RUNNING_BYTES = 64 * 1024 * 1024
const TOO_MANY = new GatewayError(
  "provider_busy",
  "The provider has not ended 1,000 responses of this connection, or those to 64 MiB of requests. Wait for them, or open another connection.",
)

interface TurnParts {
  readonly steps: SessionSteps
  readonly requests: SessionRequests
  readonly key: KeyCheck
  readonly handshake: ProxiedRequest
  /** The headers of the provider's answer to the handshake. */
  readonly headers: RawHeaders
  readonly messages: MessageCapture | undefined
  /** The client's message is not forwarded: tells the client, and the reader if the turn had begun. */
  onRefused(error: GatewayError, asked: Buffer, turn: string): void
  /** A turn that runs already is not allowed. */
  onForbidden(error: GatewayError): void
}

/** The turns of one session: each is admitted, runs, and ends with its row. */
export class SessionTurns {
  /** Messages were not read: what the meters have seen may be incomplete. */
  hasGaps = false
  /** No turn has begun yet, so that the row of the handshake is to be stored. */
  isFirst = true
  private readonly parts: TurnParts
  private readonly running = new Map<string, Turn>()
  private runningBytes = 0
  private hasEnded = false

  constructor(parts: TurnParts) {
    this.parts = parts
  }

  get isIdle(): boolean {
    return this.running.size === 0
  }

  /** Decides whether the provider gets a message by which the client begins a turn. */
  decide(begin: TurnBegin, message: Buffer): Verdict | Promise<Verdict> {
    try {
      const caller = this.parts.key.findCaller()
      if (!(caller instanceof Promise)) return this.admit(begin, message)
      const asked = Buffer.from(message)
      return caller.then(
        () => this.admit(begin, asked),
        (error) => this.refuse(error, asked, begin),
      )
    } catch (error) {
      return this.refuse(error, message, begin)
    }
  }

  /** Begins a turn of the client that the provider knows already. */
  begin(begin: TurnBegin): void {
    this.check(this.run(begin, this.build(begin)))?.()
  }

  /** Takes a message of the provider that belongs to a turn. */
  onMessage({ turn: name, begins, isOutput, endsEarlier, ends }: TurnMessage, message: Buffer): void {
    if (endsEarlier !== undefined) this.complete(endsEarlier.turn, endsEarlier)
    const isNew = begins !== undefined && !this.running.has(name)
    if (isNew) {
      this.endSilent()
      this.run(begins, this.build(begins))
    }
    const turn = this.running.get(name)
    if (turn === undefined) return
    turn.push(message, isOutput)
    const forbid = isNew ? this.check(turn) : undefined
    if (ends !== undefined) this.complete(name, ends)
    forbid?.()
  }

  private complete(name: string, ends: NonNullable<TurnMessage["ends"]>): void {
    this.remove(name)?.complete(ends)
  }

  private remove(name: string): Turn | undefined {
    const turn = this.running.get(name)
    this.running.delete(name)
    this.runningBytes -= turn?.request.call.body.length ?? 0
    return turn
  }

  private get isFull(): boolean {
    return this.running.size >= MAX_RUNNING || this.runningBytes > MAX_RUNNING_BYTES
  }

  /** A message of the provider was not read. */
  onUnread(): void {
    for (const turn of this.running.values()) turn.onUnread()
  }

  /** Ends the turns whose last message may have been one that was not read, because the next one begins. */
  endSilent(): void {
    for (const [name, turn] of this.running) {
      if (turn.isPerhapsOver) this.complete(name, { statusCode: 200 })
    }
  }

  /** The session has ended. */
  interrupt(interruption: Interruption): void {
    this.hasEnded = true
    for (const turn of this.running.values()) turn.interrupt(interruption)
    this.running.clear()
  }

  private admit(begin: TurnBegin, message: Buffer): Verdict | Promise<Verdict> {
    if (this.hasEnded) return "drop"
    const request = this.build(begin)
    if (this.isFull) return this.reject(begin, request, TOO_MANY, message)
    try {
      const admitting = this.parts.requests.admit(request)
      if (!(admitting instanceof Promise)) return this.pass(begin, request)
      const asked = Buffer.from(message)
      return admitting.then(
        () => this.pass(begin, request),
        (error) => this.reject(begin, request, error, asked),
      )
    } catch (error) {
      return this.reject(begin, request, error, message)
    }
  }

  private pass(begin: TurnBegin, request: ProxiedRequest): Verdict {
    if (this.hasEnded) {
      this.settleUnforwarded(request, new ClientLeft())
      return "drop"
    }
    this.run(begin, request)
    return "pass"
  }

  private run({ turn: name }: TurnBegin, request: ProxiedRequest): Turn {
    const { steps, headers } = this.parts
    recordIntent(steps.deps, request)
    const turn = new Turn(steps, request, headers, this.hasGaps)
    this.running.set(name, turn)
    this.runningBytes += request.call.body.length
    return turn
  }

  /**
   * Checks a turn that runs already. If it is not allowed, only the end of the session can stop it: returns what ends it.
   */
  private check(turn: Turn): (() => void) | undefined {
    const { request } = turn
    const { requests, key } = this.parts
    const forbid = (error: unknown) => this.parts.onForbidden(this.toKnown(error))
    if (this.isFull) return () => forbid(TOO_MANY)
    try {
      const admitting = requests.admit(request)
      if (admitting instanceof Promise) {
        admitting.then(() => turn.hasEnded && request.reservation?.release(), forbid)
      }
      key.start()
      return undefined
    } catch (error) {
      return () => forbid(error)
    }
  }

  private build(begin: TurnBegin): ProxiedRequest {
    const { isFirst } = this
    const { steps, requests, handshake, key, messages } = this.parts
    const request = requests.build({ handshake, caller: key.caller, begin, messages, isFirst })
    if (!isFirst) steps.onTurn()
    this.isFirst = false
    return request
  }

  private reject(begin: TurnBegin, request: ProxiedRequest, error: unknown, message: Buffer): Verdict {
    const known = this.toKnown(error)
    this.settleUnforwarded(request, known)
    return this.refuse(known, message, begin)
  }

  private refuse(error: unknown, message: Buffer, { turn }: TurnBegin): Verdict {
    this.parts.onRefused(this.toKnown(error), message, turn)
    return "drop"
  }

  private settleUnforwarded(request: ProxiedRequest, error: GatewayError | ClientLeft): void {
    const { steps } = this.parts
    steps.settle(request, toUnforwardedEnding(error, request.now(), steps.counters.isAborting), [], ignore)
  }

  private toKnown(error: unknown): GatewayError {
    if (error instanceof GatewayError) return error
    this.parts.steps.deps.onError(error, "WebSocket session")
    return new GatewayError("internal_error", "internal error")
  }
}

function ignore(): void {}
