import type { IncomingMessage, ServerResponse } from "node:http"
import { H3, toNodeHandler } from "h3"
import { hashKey } from "../core/key.ts"
import type { Gateway } from "../gateway/gateway.ts"
import { createCors } from "./cors.ts"
import { createDashboard } from "./dashboard.ts"
import { createHostCheck, isLoopback, rejectHost } from "./hosts.ts"
import { CONTENT_TYPES, chooseFormat, type MetricsFormat } from "./metrics/text.ts"
import type { Receiver } from "./receiver/receiver.ts"
import { closeIfUnread } from "./unread-body.ts"

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

export interface MetricsRequest {
  readonly format: MetricsFormat
  /** Whether Prometheus asks, or another program that computes increases from one scrape to the next. */
  readonly isScrape: boolean
}

interface OwnRoutes extends Probe {
  /** Returns the metrics as text. */
  metrics(asked: MetricsRequest): Promise<string>
  /** Answers a request below `/api/v1`, or to `/mcp`; undefined if the admin API is turned off. */
  readonly api?: ((request: Request) => Promise<Response>) | undefined
  /** Takes what clients report by OTLP; undefined: nothing is received. */
  readonly receiver?: Pick<Receiver, "takes" | "handle"> | undefined
  /** Whether a request comes with a valid admin token or session. */
  isAdmitted?(request: Request): Promise<boolean>
}

/** Who may call what. */
interface AccessPolicy {
  /** The address of the listener. */
  readonly host: string
  readonly allowedHosts: readonly string[]
  /** Further names by which the admin API and the dashboard may be called. */
  readonly adminHosts?: readonly string[]
  readonly corsOrigins: readonly string[]
  /** The bearer token that `/metrics` accepts. Without it, `/metrics` needs none on the loopback interface. */
  readonly metricsToken: string | undefined
  /** `/metrics` needs no token on any address, unless there is a `metricsToken`. */
  readonly metricsPublic?: boolean
}

/**
 * h3 serves the gateway's own routes; everything else is proxied on node's own request and response. The two are apart
 * because of a measurement: through h3 and web streams a proxied request costs two to ten times the CPU time.
 */
export function createApp(
  gateway: Pick<Gateway, "handle">,
  probe: OwnRoutes,
  policy: AccessPolicy,
): (request: IncomingMessage, response: ServerResponse) => void {
  const own = toNodeHandler(createOwnApp(probe, policy))
  const isOwn = probe.api === undefined ? isProbe : (url: string | undefined) => isProbe(url) || isAdmin(url)
  const hosts = createHostCheck(policy.host, policy.allowedHosts)
  // A browser keeps its session for a name, so that the name is checked on every address.
  const adminHosts = createHostCheck("localhost", [...policy.allowedHosts, ...(policy.adminHosts ?? [])])
  const cors = policy.corsOrigins.length === 0 ? undefined : createCors(policy.corsOrigins)
  return (request, response) => {
    if (isOwn(request.url)) {
      const isForAdmin = isAdmin(request.url)
      if (!isForAdmin) closeIfUnread(request, response)
      if (isForAdmin && adminHosts.rejectsOwn(request)) rejectHost(response, "admin.hosts")
      else if (!isForAdmin && hosts.rejectsOwn(request)) rejectHost(response, "server.allowed_hosts")
      else void own(request, response)
    } else if (hosts.rejects(request)) rejectHost(response, "server.allowed_hosts")
    else if (probe.receiver?.takes(request)) probe.receiver.handle(request, response)
    else if (!cors?.(request, response)) gateway.handle(request, response)
  }
}

/** A cheap first check, because nearly every request is proxied. */
const OWN = /^\/[hrm]e/

function isProbe(url: string | undefined): boolean {
  if (url === undefined || url.length > 64 || !OWN.test(url)) return false
  const path = url.split("?", 1)[0]
  return path === "/health" || path === "/readyz" || path === "/metrics"
}

const ADMIN = /^\/(?:(?:api\/v1|dashboard)(?:[/?]|$)|mcp(?:\?|$))/

/** Whether a request is for the admin API, the dashboard or the MCP server. */
function isAdmin(url: string | undefined): boolean {
  return url !== undefined && ADMIN.test(url)
}

function createOwnApp(probe: OwnRoutes, policy: AccessPolicy): H3 {
  const app = createProbes(probe, policy)
  const { api } = probe
  if (api === undefined) return app
  const dashboard = createDashboard()
  for (const path of ["/dashboard", "/dashboard/**"]) app.get(path, ({ req }) => dashboard(req))
  return app.all("/mcp", ({ req }) => api(req)).all("/api/v1/**", ({ req }) => api(req))
}

/** Prometheus and the programs that share its code send it with each scrape. */
const SCRAPE_HEADER = "x-prometheus-scrape-timeout-seconds"

function createProbes(probe: OwnRoutes, policy: AccessPolicy): H3 {
  const mayReadMetrics = createMetricsCheck(probe, policy)
  return new H3({ onError: (error, { req }) => (error.status === 400 ? rejectRequest(req) : undefined) })
    .get("/health", () => new Response("ok", { headers: { "Content-Type": "text/plain; charset=utf-8" } }))
    .get("/metrics", async ({ req }) => {
      if (!(await mayReadMetrics(req))) {
        const message =
          "/metrics needs an admin token, or that of server.metrics_token, as Authorization: Bearer TOKEN.\n"
        return new Response(message, { status: 401, headers: { "WWW-Authenticate": "Bearer" } })
      }
      const format = chooseFormat(req.headers.get("accept"))
      const isScrape = req.headers.has(SCRAPE_HEADER)
      const headers = { "Content-Type": CONTENT_TYPES[format], Vary: "Accept" }
      return new Response(await probe.metrics({ format, isScrape }), { headers })
    })
    .get("/readyz", async () => {
      const { error, warnings } = await probe.check()
      const more = warnings.length === 0 ? {} : { warnings }
      return error === undefined
        ? Response.json({ status: "ok", ...more })
        : Response.json({ status: "error", error, ...more }, { status: 503 })
    })
}

/** h3 rejects a path that it cannot decode. Every other error is answered where it happens. */
function rejectRequest({ url }: Request): Response {
  const detail = "the path is not valid: a % in it is not followed by two hexadecimal digits"
  const problem = { type: "about:blank", title: "Bad Request", status: 400, detail, code: "invalid_input" }
  const type = ADMIN.test(new URL(url).pathname) ? "application/problem+json" : "application/json"
  return Response.json(problem, { status: 400, headers: { "Content-Type": type } })
}

/** Creates the check of who may read `/metrics`. An admin token is looked up in the database, `server.metrics_token` is not. */
function createMetricsCheck({ isAdmitted }: OwnRoutes, policy: AccessPolicy): (request: Request) => Promise<boolean> {
  const { metricsToken } = policy
  const isOpen = metricsToken === undefined && (policy.metricsPublic === true || isLoopback(policy.host))
  return async (request) => {
    const authorization = request.headers.get("authorization")
    if (isOpen || (metricsToken !== undefined && isBearer(authorization, metricsToken))) return true
    return (await isAdmitted?.(request)) ?? false
  }
}

/** Compares hashes, so that the time of the comparison says nothing about the token. */
function isBearer(authorization: string | null, token: string): boolean {
  return hashKey(authorization ?? "") === hashKey(`Bearer ${token}`)
}
