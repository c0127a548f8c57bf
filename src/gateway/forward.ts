import type { Edit } from "../core/call.ts"
import type { ProviderCredential } from "../core/provider-credential.ts"
import { findRaw } from "../core/raw-headers.ts"
import type { ResponseHandler } from "../kit/http/exchange.ts"
import { asksForWebSocket } from "../kit/websocket/handshake.ts"
import { toHashable, toSendable } from "./body.ts"
import type { Deps } from "./deps.ts"
import type { Lane } from "./fair-queue.ts"
import { toUpstreamHeaders, toUpstreamQuery } from "./headers.ts"
import { recordIntent } from "./intent.ts"
import type { ProxiedRequest } from "./proxied-request.ts"
import { toCredentialHeader } from "./supply.ts"

type ForwardDeps = Pick<Deps, "ledger" | "onError" | "authorize">

/**
 * Sends a request to its provider as soon as its key may have a connection. A failure reaches `handler.onError`; it is
 * never thrown. When the answer has ended, or nobody waits for it any longer, `release` must be called.
 * @param isEdited whether the body is sent with the edit that the dialect asked for
 */
export function forward(deps: ForwardDeps, request: ProxiedRequest, handler: ResponseHandler, isEdited: boolean): void {
  const loading = request.dialect.load?.()
  if (loading === undefined) enter(deps, request, handler, isEdited)
  else {
    void loading.then(() => {
      if (!request.response.destroyed) enter(deps, request, handler, isEdited)
    })
  }
}

function enter(deps: ForwardDeps, request: ProxiedRequest, handler: ResponseHandler, isEdited: boolean): void {
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

function send(deps: ForwardDeps, request: ProxiedRequest, handler: ResponseHandler, isEdited: boolean): void {
  if (request.hasIntent) sendNow(deps, request, handler, isEdited)
  else recordIntent(deps, request, () => isWanted(request) && sendNow(deps, request, handler, isEdited))
}

function sendNow(deps: ForwardDeps, request: ProxiedRequest, handler: ResponseHandler, isEdited: boolean): void {
  try {
    const edit = isEdited ? request.prepared.edit : undefined
    const { supplied } = request.credentials
    const headers = toHeaders(request, isEdited)
    if (supplied !== undefined && supplied.kind !== "key") {
      authorize(deps, { request, headers, edit, supplied }).then(
        (signed) => isWanted(request) && dispatch(request, handler, signed, edit),
        (error) => isWanted(request) && handler.onError(error as Error),
      )
    } else dispatch(request, handler, headers, edit)
  } catch (error) {
    handler.onError(error as Error)
  }
}

/** Whether somebody still waits for the answer. The client may have left while its intent was written, or its request signed. */
function isWanted({ lane }: ProxiedRequest): boolean {
  return lane !== undefined
}

function toHeaders(
  { call, credentials, prepared, costDelivery, dialect, upstream, route }: ProxiedRequest,
  isEdited: boolean,
) {
  const { withheld, supplied } = credentials
  // A filter, or a comment at the end, needs an answer that is not compressed.
  const identityOnly = isEdited || costDelivery === "event" || prepared.createRewriter !== undefined
  const headers = toUpstreamHeaders(call.rawHeaders, call.headers, { identityOnly, withheld })
  if (supplied?.kind === "key") {
    const place = { name: route.provider.name, host: upstream.host }
    headers.push(...toCredentialHeader(supplied.secret, dialect.credentials, place))
  }
  return headers
}

function toPath({ call, credentials, route, upstream }: ProxiedRequest): string {
  return upstream.toPath(route.path) + toUpstreamQuery(call.query, credentials.withheld.parameters)
}

function dispatch(request: ProxiedRequest, handler: ResponseHandler, headers: string[], edit: Edit | undefined): void {
  const { call, upstream } = request
  try {
    upstream.pool().dispatch(
      {
        path: toPath(request),
        method: call.method,
        headers,
        body: toSendable(call.body, edit),
        upgrade: asksForWebSocket(call.headers) ? "websocket" : undefined,
      },
      handler,
    )
  } catch (error) {
    handler.onError(error as Error)
  }
}

interface Unauthorized {
  readonly request: ProxiedRequest
  readonly headers: readonly string[]
  readonly edit: Edit | undefined
  readonly supplied: ProviderCredential
}

/** Returns the headers with a signature or an access token. */
async function authorize(deps: ForwardDeps, { request, headers, edit, supplied }: Unauthorized): Promise<string[]> {
  const { call, route } = request
  if (deps.authorize === undefined) throw new Error("nothing can sign this request")
  const url = new URL(route.provider.baseUrl).origin + toPath(request)
  const { region } = route.provider
  const body = toHashable(call.body, edit)
  const signed = await deps.authorize(supplied, { method: call.method, url, headers, region, body })
  const token = /^Bearer +(\S+)$/i.exec(findRaw(signed, "authorization") ?? "")?.[1]
  if (token !== undefined) request.suppliedSecrets = [...request.suppliedSecrets, token]
  return signed
}
