import type { IncomingMessage, ServerResponse } from "node:http"
import { H3, toNodeHandler } from "h3"
import type { Gateway } from "../gateway/pipeline.ts"

/** A condition that an operator should know and that no client notices. */
export interface ReadinessWarning {
  /** A name for alerts, such as `rows_stalled`. */
  readonly code: string
  readonly message: string
}

export interface Probe {
  /** Returns the reason why the gateway is not ready, which is undefined if it is, and the warnings. */
  check(): Promise<{ readonly error: string | undefined; readonly warnings: readonly ReadinessWarning[] }>
}

interface OwnRoutes extends Probe {
  /** Prometheus text. */
  metrics(): Promise<string>
}

/**
 * h3 serves the gateway's own routes; everything else is proxied on node's own request and response. The two are apart
 * because of a measurement: through h3 and web streams a proxied request costs two to ten times the CPU time.
 */
export function createApp(
  gateway: Gateway,
  probe: OwnRoutes,
): (request: IncomingMessage, response: ServerResponse) => void {
  const own = toNodeHandler(createOwnApp(probe))
  return (request, response) => {
    if (isOwn(request.url)) void own(request, response)
    else gateway.handle(request, response)
  }
}

/** A cheap first check, because nearly every request is proxied. */
const OWN = /^\/[hrm]e/

function isOwn(url: string | undefined): boolean {
  if (url === undefined || url.length > 64 || !OWN.test(url)) return false
  const path = url.split("?", 1)[0]
  return path === "/health" || path === "/readyz" || path === "/metrics"
}

function createOwnApp(probe: OwnRoutes): H3 {
  return new H3()
    .get("/health", () => new Response("ok", { headers: { "Content-Type": "text/plain; charset=utf-8" } }))
    .get("/metrics", async () => {
      const headers = { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" }
      return new Response(await probe.metrics(), { headers })
    })
    .get("/readyz", async () => {
      const { error, warnings } = await probe.check()
      const more = warnings.length === 0 ? {} : { warnings }
      return error === undefined
        ? Response.json({ status: "ok", ...more })
        : Response.json({ status: "error", error, ...more }, { status: 503 })
    })
}
