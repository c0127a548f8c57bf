import type { Dispatcher } from "undici"
import { isLarge, lengthOf, toSendable } from "./body.ts"
import type { Deps } from "./deps.ts"
import type { Lane } from "./fair-queue.ts"
import { toUpstreamHeaders, toUpstreamQuery } from "./headers.ts"
import { toLogIntent } from "./log-record.ts"
import type { ProxiedRequest } from "./proxied-request.ts"

/** Receives the answer: undici calls its methods in the order of the events. */
export type AnswerHandler = Dispatcher.DispatchHandler & { onError(error: Error): void }

/**
 * Sends a request to its provider as soon as its key may have a connection. A failure reaches `handler.onError`; it is
 * never thrown. When the answer has ended, or nobody waits for it any longer, `release` must be called.
 * @param isEdited whether the body is sent with the edit that the dialect asked for
 */
export function forward(
  deps: Pick<Deps, "ledger" | "onError">,
  request: ProxiedRequest,
  handler: AnswerHandler,
  isEdited: boolean,
): void {
  const loading = request.dialect.load?.()
  if (loading === undefined) enter(deps, request, handler, isEdited)
  else {
    void loading.then(() => {
      if (!request.response.destroyed) enter(deps, request, handler, isEdited)
    })
  }
}

function enter(
  deps: Pick<Deps, "ledger" | "onError">,
  request: ProxiedRequest,
  handler: AnswerHandler,
  isEdited: boolean,
): void {
  const { queue } = request.upstream
  const { keyId } = request.caller
  request.lane = queue.enter(keyId)
  if (request.lane !== undefined) return void send(deps, request, handler, isEdited)
  const start = (lane: Lane) => {
    request.waiter = undefined
    request.lane = lane
    send(deps, request, handler, isEdited)
  }
  request.waiter = queue.wait(keyId, start, (error) => handler.onError(error))
}

/** Frees the connection of a request for the next one, or stops waiting for one. */
export function release(request: ProxiedRequest): void {
  const { lane, waiter, upstream } = request
  request.lane = undefined
  request.waiter = undefined
  if (lane !== undefined) upstream.queue.leave(lane)
  if (waiter !== undefined) upstream.queue.cancel(waiter)
}

function send(
  deps: Pick<Deps, "ledger" | "onError">,
  request: ProxiedRequest,
  handler: AnswerHandler,
  isEdited: boolean,
): void {
  const { call, route, upstream } = request
  const { body } = call
  const edit = isEdited ? request.prepared.edit : undefined
  if (!request.hasIntent) recordIntent(deps, request)
  try {
    // A filter, or a comment at the end, needs an answer that is not compressed.
    const identityOnly = isEdited || request.costDelivery === "event" || request.prepared.createRewriter !== undefined
    const { withheld } = request
    const headers = toUpstreamHeaders(call.rawHeaders, call.headers, { identityOnly, withheld: withheld.headers })
    if (isLarge(body)) headers.push("content-length", String(lengthOf(body, edit)))
    upstream.pool().dispatch(
      {
        path: upstream.toPath(route.path) + toUpstreamQuery(call.query, withheld.parameters),
        method: call.method as "POST",
        headers,
        body: toSendable(body, edit),
      },
      handler,
    )
  } catch (error) {
    handler.onError(error as Error)
  }
}

/** From here on the provider may bill the request, so that it gets a row even if this process is killed. */
function recordIntent({ ledger, onError }: Pick<Deps, "ledger" | "onError">, request: ProxiedRequest): void {
  request.hasIntent = true
  if (ledger.recordIntent === undefined) return
  try {
    ledger.recordIntent(toLogIntent(request))
  } catch (error) {
    onError(error, "intent")
  }
}
