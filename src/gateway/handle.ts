import type { IncomingMessage, ServerResponse } from "node:http"
import type { Body, Call, Caller, Ending } from "../core/call.ts"
import { GatewayError, type GatewayErrorCode } from "../core/errors.ts"
import { NO_READING } from "../core/usage.ts"
import { uuidV7 } from "../kit/uuid.ts"
import type { Dialect } from "../providers/_dialect.ts"
import { isLarge } from "./body.ts"
import { type Counters, createCounters } from "./counters.ts"
import type { Deps } from "./deps.ts"
import { isolateFaults } from "./fault-isolation.ts"
import { createUpstreams } from "./forward.ts"
import { identify } from "./identify.ts"
import { readMetadata } from "./metadata.ts"
import { ProxiedRequest } from "./proxied-request.ts"
import { type BodyLimits, ClientLeft, MEMORY_BUDGET_BYTES } from "./read-body.ts"
import { checkHead, isShort, readBody, splitTarget } from "./receive.ts"
import { Relay, STATUS_CLIENT_CLOSED_REQUEST } from "./relay.ts"
import { createRouter, type Route } from "./route.ts"
import { sendError } from "./send-error.ts"
import { createSingleHeaderCheck } from "./single-headers.ts"

const NO_BODY = Buffer.alloc(0)
/** What stands behind a malformed or unfinished request on its connection is not trusted to be another. */
const CLOSING: ReadonlySet<GatewayErrorCode> = new Set(["bad_request", "body_too_large", "request_timeout"])

export interface Gateway {
  /** Answers one proxied request; never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): void
  /** Requests that are running now. */
  openRequests(): number
  readonly counters: Readonly<Counters>
  /** Running answers are about to be cut: their rows say so. */
  abortRunning(): void
  close(): Promise<void>
}

/** The pipeline: one call in, one answer and one row out. */
export function createGateway(given: Deps): Gateway {
  const deps = isolateFaults(given)
  const upstreams = createUpstreams(deps.settings)
  const router = createRouter(deps.dialects, deps.providers)
  const checkSingle = createSingleHeaderCheck(Object.values(deps.dialects))
  const tally = createCounters()
  const limits: BodyLimits = {
    maxBytes: deps.settings.maxBodyBytes,
    timeoutMs: deps.settings.readTimeoutMs,
    spill: deps.spill,
    memoryBudget: { used: 0, max: MEMORY_BUDGET_BYTES },
    onDiskError: (error) => deps.onError(error, "body"),
  }
  let open = 0

  function handle(request: IncomingMessage, response: ServerResponse): void {
    // Sent before the one in front of it was answered: it takes its turn. Where that one ends the connection (a
    // refusal, a client that leaves), what came behind it on the wire is not worth sending to anybody.
    if (response.socket === null) response.once("socket", () => begin(request, response))
    else begin(request, response)
  }

  function begin(request: IncomingMessage, response: ServerResponse): void {
    open++
    response.once("close", () => open--)
    // A client that resets its connection is no news; without a listener node would throw.
    response.on("error", () => {})
    void run(request, response)
  }

  async function run(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now()
    const receivedAt = Date.now()
    const id = uuidV7(receivedAt)
    let dialect: Dialect | undefined
    try {
      const { path, query } = splitTarget(request.url)
      checkHead(request, checkSingle)
      if (deps.isStopping()) throw new GatewayError("shutting_down", "The gateway is shutting down.")
      const route = router.find({ path, query, headers: request.headers })
      dialect = deps.dialects[route.format]
      const identified = identify(request, deps.findCaller)
      const caller = identified instanceof Promise ? await identified : identified
      if (deps.isLedgerFull())
        throw new GatewayError("ledger_full", "The gateway's journal is full: no request is taken.")

      const head = { id, receivedAt, path, query, request }
      const take = (body: Body) => new ProxiedRequest(toSent(toCall(head, body), caller, route, response, startedAt))
      new Relay(await takeWhole(take, request, response)).start()
    } catch (error) {
      if (error instanceof ClientLeft || response.destroyed) return
      const refusal = error instanceof GatewayError ? error : internal(error)
      const close = deps.isStopping() || CLOSING.has(refusal.code) || !(request.complete || isShort(request))
      sendError(response, { error: refusal, dialect: dialect ?? guessDialect(request), id, close })
    }
  }

  /** Returns the dialect of the answer to a request that found no route. */
  function guessDialect({ url = "", headers }: IncomingMessage): Dialect {
    const mark = url.indexOf("?")
    const [path, query] = mark === -1 ? [url, ""] : [url.slice(0, mark), url.slice(mark)]
    return deps.dialects[router.guessFormat({ path, query, headers })]
  }

  /** Reads the body; a request that fails to arrive has a row too, for its caller is known. */
  async function takeWhole(
    take: (body: Body) => ProxiedRequest,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<ProxiedRequest> {
    let body: Body = NO_BODY
    try {
      const reading = readBody(request, response, limits)
      body = reading instanceof Promise ? await reading : reading
      return take(body)
    } catch (error) {
      if (isLarge(body)) body.close()
      const refused = error instanceof GatewayError
      if (refused || error instanceof ClientLeft) {
        const exchanged = take(NO_BODY)
        const ending: Ending = {
          outcome: refused ? "complete" : "client_left",
          statusCode: refused ? error.status : STATUS_CLIENT_CLOSED_REQUEST,
          respondedAt: exchanged.now(),
          firstByteMs: undefined,
          streamed: false,
          error: error.message,
          reading: NO_READING,
        }
        exchanged.settle(ending, [])
      }
      throw error
    }
  }

  function toCall(
    head: { id: string; receivedAt: number; path: string; query: string; request: IncomingMessage },
    body: Body,
  ): Call {
    const { request } = head
    return {
      id: head.id,
      receivedAt: head.receivedAt,
      method: request.method ?? "GET",
      path: head.path,
      query: head.query,
      rawHeaders: request.rawHeaders,
      headers: request.headers,
      metadata: readMetadata(
        request.rawHeaders,
        {
          maxKeys: deps.settings.maxMetadataKeys,
          maxValueLength: deps.settings.maxMetadataValueLength,
        },
        tally,
      ),
      body,
    }
  }

  function toSent(call: Call, caller: Caller, route: Route, response: ServerResponse, startedAt: number) {
    const upstream = upstreams.get(route.provider)
    const dialect = deps.dialects[route.format]
    return { deps, call, caller, route, upstream, dialect, response, startedAt, tally }
  }

  function internal(error: unknown): GatewayError {
    deps.onError(error, "handle")
    return new GatewayError("internal_error", "internal error")
  }

  function cut(): void {
    tally.isAborting = true
  }

  return { handle, openRequests: () => open, counters: tally, abortRunning: cut, close: () => upstreams.close() }
}
