import type { IncomingMessage } from "node:http"
import { GatewayError, type GatewayErrorCode } from "../core/errors.ts"
import type { Deps } from "./deps.ts"
import { ClientLeft } from "./read-body.ts"
import { type Arrival, isShort, parseTarget } from "./receive.ts"
import type { Route, Router } from "./route.ts"
import { sendError } from "./send-error.ts"

/** After these errors the rest of the connection is not trusted: it may be the rest of the rejected request. */
const CLOSING: ReadonlySet<GatewayErrorCode> = new Set([
  "bad_request",
  "body_too_large",
  "request_timeout",
  "upgrade_required",
])

interface Context {
  readonly deps: Pick<Deps, "dialects" | "isStopping" | "onError">
  readonly router: Router
}

/** Sends the error of a request that was not forwarded. A bug is reported and becomes `internal_error`. */
export function reject({ deps, router }: Context, error: unknown, arrival: Arrival, route: Route | undefined): void {
  const { id, request, response } = arrival
  if (error instanceof ClientLeft || response.destroyed) return
  const known = error instanceof GatewayError ? error : new GatewayError("internal_error", "internal error")
  if (known !== error) deps.onError(error, "pipeline")
  // Whether the rest of the request has arrived already makes no difference, as that would depend on the network.
  const close = deps.isStopping() || CLOSING.has(known.code) || !isShort(request)
  const dialect = deps.dialects[route?.format ?? guessFormat(router, request)]
  sendError(response, { error: known, dialect, id, close })
}

/** Guesses the dialect of a request without a route from what the client sent. */
function guessFormat(router: Router, { url, headers }: IncomingMessage) {
  const { path, query } = parseTarget(url) ?? { path: "", query: "" }
  return router.guessFormat({ path, query, headers })
}
