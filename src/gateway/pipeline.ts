import type { IncomingMessage, ServerResponse } from "node:http"
import type { Ending, RawHeaders } from "../core/call.ts"
import type { GatewayError } from "../core/errors.ts"
import type { ResponseHandler } from "../kit/http/exchange.ts"
import { uuidV7 } from "../kit/uuid.ts"
import { isHandshake } from "../kit/websocket/handshake.ts"
import type { JobItem } from "../providers/_jobs.ts"
import type { RoutedRequest } from "../providers/_routing.ts"
import { admit, checkRunning } from "./admit.ts"
import { createAttribution } from "./attribution/attribute.ts"
import { checkMetadata, createHeadCheck, needsMetadata } from "./attribution/required.ts"
import { isLarge, NO_BODY } from "./body.ts"
import { type Admitted, createRequestBuilder } from "./build-request.ts"
import { createCounters } from "./counters.ts"
import { listCredentialPlaces, NOTHING } from "./credentials.ts"
import type { Deps } from "./deps.ts"
import { isRejection, toUnforwardedEnding } from "./endings.ts"
import { isolateFaults } from "./fault-isolation.ts"
import { forward } from "./forward.ts"
import type { Gateway } from "./gateway.ts"
import { HeldAnswers } from "./held-answers.ts"
import { createIdentify } from "./identify.ts"
import { recordItem } from "./job-item.ts"
import { createReserve } from "./limits/reserve.ts"
import { answerModels } from "./model-list.ts"
import { ModelNames } from "./model-names.ts"
import { checkModels, checkPolicy } from "./policy.ts"
import { createPrepare } from "./prepare-request.ts"
import type { ProxiedRequest, SettledRequest } from "./proxied-request.ts"
import { type ClientLeft, createBodyLimits } from "./read-body.ts"
import { type Arrival, receive } from "./receive.ts"
import { record } from "./record.ts"
import { reject } from "./reject.ts"
import { Relay } from "./relay.ts"
import type { RelaySteps } from "./relay-steps.ts"
import { createRouter, type Route, type Router } from "./route.ts"
import { settle } from "./settle.ts"
import { createSingleHeaderCheck } from "./single-headers.ts"
import { checkHandshake, startHandshake } from "./sockets/handshake.ts"
import { opensSession, type SessionOpening } from "./sockets/opening.ts"
import type { SessionSteps } from "./sockets/session-steps.ts"
import { Sessions } from "./sockets/sessions.ts"
import { createCredentialChoice } from "./supply.ts"
import { createUpstreams } from "./upstreams.ts"

export function createGateway(deps: Deps): Gateway {
  return new Pipeline(isolateFaults(deps))
}

/**
 * The pipeline: one request in, one answer and one row out, in nine steps.
 *
 * 1. `receive` checks the head, and later reads the body.
 * 2. `route` finds the provider and the dialect, before `identify`, so that an error has the form of the client's API.
 * 3. `identify` finds the client by its key, and then the credential for the provider: the client's, or the gateway's.
 * 4. `admit` decides whether the request may be forwarded now.
 * 5. `reserve` reserves what the request may use in the limits that apply to it.
 * 6. `forward` sends it to the provider.
 * 7. `relay` passes the answer on to the client, and a copy to the meter.
 * 8. `settle` decides how the answer ended, and prices it.
 * 9. `record` gives the row to the ledger, and the request to the subscribers.
 *
 * A request that fails in steps 1 to 4 gets an error and no row, unless its key does not allow it. From then on each
 * request has exactly one row.
 */
class Pipeline implements Gateway, RelaySteps, SessionSteps {
  readonly counters = createCounters()
  readonly writeTimeoutMs: number
  readonly describesRequests: boolean
  readonly held = new HeldAnswers()
  readonly deps: Deps
  private readonly router: Router
  private readonly checkSingleHeaders: ReturnType<typeof createSingleHeaderCheck>
  readonly identify: ReturnType<typeof createIdentify>
  private readonly chooseCredentials: ReturnType<typeof createCredentialChoice>
  private readonly checkHeadMetadata: ReturnType<typeof createHeadCheck>
  private readonly upstreams: ReturnType<typeof createUpstreams>
  readonly build: ReturnType<typeof createRequestBuilder>
  private readonly reserve: ReturnType<typeof createReserve>
  private readonly sessions: Sessions
  private readonly prepare: ReturnType<typeof createPrepare>
  private readonly recording: Parameters<typeof record>[0]
  private open = 0
  private unrecorded = 0

  constructor(deps: Deps) {
    this.deps = deps
    const { settings, spill } = deps
    this.router = createRouter(deps.dialects, deps.providers)
    const dialects = Object.values(deps.dialects)
    this.checkSingleHeaders = createSingleHeaderCheck(dialects)
    this.identify = createIdentify(listCredentialPlaces(dialects), deps.findCaller)
    this.chooseCredentials = createCredentialChoice(deps.dialects, deps.findCredential)
    this.checkHeadMetadata = createHeadCheck(settings)
    this.writeTimeoutMs = settings.writeTimeoutMs
    this.describesRequests = settings.describesRequests ?? false
    this.upstreams = createUpstreams(settings, this.counters)
    const attribute = createAttribution(settings, this.counters)
    this.build = createRequestBuilder(deps, { attribute, upstreams: this.upstreams })
    this.reserve = createReserve(deps, (request, error) => this.recordUnforwarded(request, error))
    this.recording = { ...deps, names: new ModelNames() }
    this.sessions = new Sessions(this)
    this.prepare = createPrepare({
      ...{ identify: this.identify, build: this.build },
      bodyLimits: createBodyLimits(settings, spill, (error) => deps.onSpillError?.(error)),
      onFailed: (request, error) => this.recordUnforwarded(request, error),
      onForgotten: () => this.unrecorded--,
    })
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.open++
    // `on` costs less than `once`, and node emits `close` once.
    response.on("close", () => this.open--)
    // A client that resets its connection needs no report, but without a listener node would throw.
    response.on("error", ignore)
    void this.run(request, response)
  }

  openRequests(): number {
    return this.open
  }

  unrecordedRequests(): number {
    return this.unrecorded
  }

  closeIdleSessions(): void {
    this.sessions.drain()
  }

  abortRunning(): void {
    this.counters.isAborting = true
    this.sessions.abort()
  }

  close(): Promise<void> {
    return this.upstreams.close()
  }

  /** Steps 1 to 7. The relay then runs by itself, and calls `settle` when the answer has ended. */
  private async run(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { deps } = this
    const receivedAt = Date.now()
    const id = uuidV7(receivedAt)
    const websocketId = isHandshake(request) ? id : undefined
    const arrival = { id, receivedAt, startedAt: performance.now(), request, response, websocketId }
    let route: Route | undefined
    try {
      const head = receive(request, this.checkSingleHeaders)
      checkRunning(deps)
      route = this.router.find(head)
      checkHandshake(deps, request, route)
      const identified = this.identify(head, request.socket)
      const caller = identified instanceof Promise ? await identified : identified
      if (caller.policy !== undefined) this.checkPolicy(arrival, head, { route, caller })
      if (deps.listModels && answerModels(deps, arrival, { head, route, caller })) return
      const chosen = this.chooseCredentials(route, head, caller)
      const credentials = chosen instanceof Promise ? await chosen : chosen
      admit(deps)
      if (websocketId !== undefined) this.sessions.admit(response)
      const isChecked = needsMetadata(caller, deps.dialects[route.format], request.method, route.path)
      if (isChecked) this.checkHeadMetadata(request, caller)
      this.unrecorded++
      const proxied = await this.prepare(arrival, head, { route, caller, credentials })
      if (isChecked || caller.policy !== undefined) this.checkRead(proxied, isChecked)
      const { limits } = deps
      if (limits !== undefined && !limits.isEmpty) {
        const reserving = this.reserve(limits, proxied)
        if (reserving instanceof Promise) await reserving
      }
      if (websocketId !== undefined) startHandshake(this, proxied)
      else new Relay(this, proxied).start()
    } catch (error) {
      reject({ deps, router: this.router }, error, arrival, route)
    }
  }

  /** Step 6. */
  forward(request: ProxiedRequest, handler: ResponseHandler, isEdited: boolean): void {
    forward(this.deps, request, handler, isEdited)
  }

  openSession(opening: SessionOpening): void {
    this.sessions.start(opening)
  }

  recordItem(request: ProxiedRequest, item: JobItem): void {
    recordItem(this.deps, request, item)
  }

  onTurn(): void {
    this.unrecorded++
  }

  /** Steps 8 and 9. */
  settle(request: ProxiedRequest, ending: Ending, headers: RawHeaders, onStored: () => void): void {
    const settled = settle(this.deps, request, ending, headers)
    if (settled instanceof Promise) void settled.then((late) => this.record(late, onStored))
    else this.record(settled, onStored)
  }

  private record(request: SettledRequest, onStored: () => void): void {
    record(this.recording, request, onStored)
    this.unrecorded--
  }

  /** A request to a provider that its key does not allow gets a row, although its body is not read. */
  private checkPolicy(arrival: Arrival, target: RoutedRequest, known: Omit<Admitted, "credentials">): void {
    try {
      checkPolicy(known.caller.policy, known.route.provider, arrival.receivedAt)
    } catch (error) {
      if (isRejection(error)) {
        const request = this.build(arrival, target, { ...known, credentials: { withheld: NOTHING } }, NO_BODY)
        this.unrecorded++
        this.recordUnforwarded(request, error)
      }
      throw error
    }
  }

  /** Rejects a request for its model or its metadata, although its body has been read. Missing metadata leaves no row. */
  private checkRead(proxied: ProxiedRequest, isMetadataChecked: boolean): void {
    const { call, caller } = proxied
    try {
      // Each turn of a WebSocket is checked with what it says itself.
      if (isMetadataChecked && !opensSession(call)) checkMetadata(call.metadata, caller)
      if (caller.policy !== undefined) checkModels(caller.policy, proxied)
    } catch (error) {
      if (isRejection(error)) this.recordUnforwarded(proxied, error)
      else {
        this.unrecorded--
        if (isLarge(call.body)) call.body.close()
      }
      throw error
    }
  }

  /** Stores the row of a request that is not forwarded, because its client is known. */
  private recordUnforwarded(request: ProxiedRequest, error: GatewayError | ClientLeft): void {
    this.settle(request, toUnforwardedEnding(error, request.now(), this.counters.isAborting), [], ignore)
  }
}

function ignore(): void {}
