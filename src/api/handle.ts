import { createHash } from "node:crypto"
import { CommandError } from "../core/errors.ts"
import type { AnyRoute, Need, Route, RouteContext, StreamRoute } from "./_route.ts"
import type { Access } from "./access.ts"
import { type ApiEvent, formatEvent, KEEP_ALIVE } from "./events.ts"
import { type HttpExchange, toExchange } from "./http.ts"
import { parseInput } from "./input.ts"
import { ApiError, explainError, type Problem } from "./problem.ts"
import { readFile, readInput } from "./read-input.ts"
import type { Router } from "./router.ts"

/** The server that the API is part of gives it these parts. */
export interface ApiHandlerDeps {
  readonly router: Router
  readonly access: Access
  /** Returns the open resources that a route needs. They stay open. */
  open(
    route: Pick<AnyRoute, "needs" | "readsReplica">,
  ): Promise<Omit<RouteContext<Need>, keyof CallContext | "actor" | "http" | "access">>
  /** Translates an error of a resource into a `CommandError` that says what to do. */
  explain(error: unknown): unknown
  /** A route that may change something has ended. */
  onChange(): void
  /** Takes an error that nobody expected, for the log. */
  onBug(route: string, error: unknown): void
  readonly now: () => number
}

/** The base of all paths of the API. */
export const BASE = "/api/v1"
/** Proxies close a connection that is quiet for about a minute. */
const KEEP_ALIVE_MS = 15_000

/** Creates the handler of all requests below `/api/v1`. It never rejects. */
export function createApiHandler(deps: ApiHandlerDeps): (request: Request) => Promise<Response> {
  return async (request) => {
    let name = "unknown"
    const fail = (error: unknown) => toProblemOf(deps, name, error)
    try {
      const { route, parameters } = deps.router.find(
        request.method === "HEAD" ? "GET" : request.method,
        new URL(request.url).pathname.slice(BASE.length),
      )
      name = route.name
      const http = toExchange(request)
      const { actor } = await deps.access.authenticate(http, route.role)
      const input = parseInput(route, await readInput(route, request, parameters), deps.now())
      const sent = route.needs.includes("file") && { file: readFile(request) }
      const resources = { ...(await deps.open(route)), ...sent, actor, http, access: deps.access }
      if (request.headers.get("accept")?.includes("text/event-stream")) {
        return stream(request, formatEvent, "text/event-stream", (context) =>
          toEvents(deps, route, { ...resources, ...context }, input, fail),
        )
      }
      if (isStream(route)) {
        return stream(request, toLines(route), "application/x-ndjson", (context) =>
          toEvents(deps, route, { ...resources, ...context }, input, fail),
        )
      }
      const context = { ...resources, log: () => {}, onProgress: () => {}, signal: request.signal }
      const output = await runRoute(deps, route, context, input)
      return toResponse(request, http, route.addGoFields?.(output) ?? output)
    } catch (error) {
      const problem = fail(error)
      return new Response(JSON.stringify(problem), {
        status: problem.status,
        headers: {
          ...COMMON_HEADERS,
          "Content-Type": "application/problem+json",
          ...(error instanceof ApiError && error.headers),
        },
      })
    }
  }
}

/** Numbers about people's spending are for nobody's cache. */
const COMMON_HEADERS = {
  "Cache-Control": "private, no-cache",
  "X-Content-Type-Options": "nosniff",
  Vary: "Accept, Authorization, Cookie",
}

/**
 * Formats the items of a sequence as JSON lines. An error cuts the response, so that it is not taken for a complete one.
 */
function toLines({ isText }: StreamRoute): (event: ApiEvent) => string {
  return (event) => {
    if ("problem" in event) throw new Error(event.problem.detail)
    if (!("item" in event)) return ""
    return isText ? String(event.item) : `${JSON.stringify(event.item)}\n`
  }
}

// biome-ignore lint/suspicious/noExplicitAny: as in AnyRoute
function isStream(route: AnyRoute): route is StreamRoute<any, any, any, any> {
  return "item" in route
}

function toProblemOf(deps: ApiHandlerDeps, name: string, error: unknown): Problem {
  const explained = deps.explain(error)
  if (!(explained instanceof CommandError)) deps.onBug(name, explained)
  return explainError(explained)
}

/** Returns an output as JSON, or 304 if the caller has it already, or the redirect that the route has asked for. */
function toResponse(request: Request, { reply }: HttpExchange, output: unknown): Response {
  if (reply.headers.has("Location")) {
    reply.headers.set("Cache-Control", "no-store")
    return new Response(null, reply)
  }
  const body = JSON.stringify(output ?? null)
  const isRead = request.method === "GET"
  const etag = isRead ? `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"` : undefined
  const headers = { ...COMMON_HEADERS, ...(etag && { ETag: etag }) }
  if (etag !== undefined && request.headers.get("if-none-match")?.split(/,\s*/).includes(etag)) {
    return new Response(null, { status: 304, headers })
  }
  for (const [name, value] of Object.entries({ ...headers, "Content-Type": "application/json; charset=utf-8" })) {
    reply.headers.set(name, value)
  }
  return new Response(body, reply)
}

/** Runs a route, and says afterwards that it may have changed something. */
async function runRoute(
  { onChange }: Pick<ApiHandlerDeps, "onChange">,
  // biome-ignore lint/suspicious/noExplicitAny: the types of a route are checked where it is defined
  route: Route<any, any, any, any>,
  context: RouteContext<Need>,
  input: unknown,
): Promise<unknown> {
  try {
    return await route.run(context, input)
  } finally {
    if (route.method !== "GET" && !route.readsReplica) onChange()
  }
}

type CallContext = Pick<RouteContext<Need>, "log" | "onProgress" | "signal">

/** Runs a route, and yields what it says, its items and its output. */
async function* toEvents(
  deps: ApiHandlerDeps,
  route: AnyRoute,
  context: Omit<RouteContext<Need>, keyof CallContext> & CallContext,
  input: unknown,
  fail: (error: unknown) => Problem,
): AsyncGenerator<ApiEvent> {
  try {
    if (isStream(route)) {
      for await (const item of route.run(context, input)) yield { item }
      yield { result: null }
    } else yield { result: (await runRoute(deps, route, context, input)) ?? null }
  } catch (error) {
    if (!context.signal.aborted) yield { problem: fail(error) }
  }
}

/** Returns a response that sends events as they come, in the order in which they happened. */
function stream(
  request: Request,
  format: (event: ApiEvent) => string,
  type: string,
  run: (context: CallContext) => AsyncGenerator<ApiEvent>,
): Response {
  const stop = new AbortController()
  request.signal.addEventListener("abort", () => stop.abort(), { once: true })
  const encoder = new TextEncoder()
  let timer: NodeJS.Timeout | undefined
  let events: AsyncGenerator<ApiEvent>
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (text: string) => {
        if (!stop.signal.aborted && text !== "") controller.enqueue(encoder.encode(text))
      }
      events = run({
        log: (note) => send(format({ note })),
        onProgress: (done, total) => send(format({ progress: { done, total } })),
        signal: stop.signal,
      })
      if (type !== "text/event-stream") return
      // The head of the response is sent with the first bytes, and tells the caller that the stream is open.
      send(KEEP_ALIVE)
      timer = setInterval(() => send(KEEP_ALIVE), KEEP_ALIVE_MS).unref()
    },
    async pull(controller) {
      // Formats such as JSON lines have no text for some events, and a pull must enqueue something.
      for (;;) {
        const { value, done } = await events.next()
        if (done) {
          clearInterval(timer)
          return controller.close()
        }
        const text = format(value)
        if (text !== "") return controller.enqueue(encoder.encode(text))
      }
    },
    cancel() {
      clearInterval(timer)
      stop.abort()
    },
  })
  return new Response(body, { headers: { ...COMMON_HEADERS, "Content-Type": type, "X-Accel-Buffering": "no" } })
}
