import type { Dispatcher } from "undici"
import { isLarge, lengthOf, toSendable } from "./body.ts"
import type { Deps } from "./deps.ts"
import { toUpstreamHeaders, toUpstreamQuery } from "./headers.ts"
import { toLogIntent } from "./log-record.ts"
import type { ProxiedRequest } from "./proxied-request.ts"

/** Receives the answer: undici calls its methods in the order of the events. */
export type AnswerHandler = Dispatcher.DispatchHandler & { onError(error: Error): void }

/**
 * Sends a request to its provider. A failure reaches `handler.onError`; it is never thrown.
 * @param isEdited whether the body is sent with the edit that the dialect asked for
 */
export function forward(
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
