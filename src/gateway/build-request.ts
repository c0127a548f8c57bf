import type { Body, Call } from "../core/call.ts"
import type { TakenMessages } from "../core/message-capture.ts"
import type { createAttribution } from "./attribution/attribute.ts"
import type { Deps } from "./deps.ts"
import { NO_METADATA } from "./metadata.ts"
import { type AdmittedRequest, ProxiedRequest } from "./proxied-request.ts"
import type { Arrival, Target } from "./receive.ts"
import type { createUpstreams } from "./upstreams.ts"

/** The facts about a request whose head has been read. */
export type Admitted = Pick<AdmittedRequest, "caller" | "route" | "credentials">

interface Parts {
  readonly attribute: ReturnType<typeof createAttribution>
  readonly upstreams: ReturnType<typeof createUpstreams>
}

/** Creates the step that puts together all that is known of a request when its body has arrived, or will not. */
export function createRequestBuilder(
  { dialects, openBodies, settings }: Pick<Deps, "dialects" | "openBodies" | "settings">,
  { attribute, upstreams }: Parts,
) {
  /**
   * @param messages of a turn of a WebSocket: what is stored as the request's body
   * @throws when the dialect cannot prepare the request, which is a bug
   */
  return (
    arrival: Arrival,
    target: Target,
    { caller, route, credentials }: Admitted,
    body: Body,
    decoded?: AdmittedRequest["decoded"],
    messages?: TakenMessages,
  ): ProxiedRequest => {
    const call = toCall(arrival, target, body)
    const proxied = new ProxiedRequest({
      call,
      decoded,
      caller,
      route,
      credentials,
      dialect: dialects[route.format],
      upstream: upstreams.get(route.provider),
      response: arrival.response,
      startedAt: arrival.startedAt,
      capture: openBodies?.(call, caller, messages),
      settings,
    })
    call.metadata = attribute(call, proxied.prepared.attribution, caller.metadata)
    return proxied
  }
}

function toCall({ id, receivedAt, request, websocketId }: Arrival, { path, query }: Target, body: Body): Call {
  const { rawHeaders, headers, method = "GET" } = request
  return { id, receivedAt, method, path, query, rawHeaders, headers, metadata: NO_METADATA, body, websocketId }
}
