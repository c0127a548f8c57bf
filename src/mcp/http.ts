import { createMcpHandler } from "@modelcontextprotocol/server"
import type { Access } from "../api/access.ts"
import type { DirectCall } from "../api/direct.ts"
import { isForeign, toExchange } from "../api/http.ts"
import { ApiError, explainError } from "../api/problem.ts"
import type { Actor } from "../core/actor.ts"
import { createMcpServer } from "./server.ts"

interface McpEndpointOptions {
  readonly version: string
  readonly access: Pick<Access, "authenticate">
  readonly call: DirectCall
  /** Translates an error of a resource into a `CommandError` that says what to do. */
  explain(error: unknown): unknown
  onBug(route: string, error: unknown): void
}

export interface McpEndpoint {
  /** Answers a request to `/mcp`. Never rejects. */
  handle(request: Request): Promise<Response>
  close(): Promise<void>
}

const MAX_BODY_BYTES = 1024 * 1024
const HEADERS = { "Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff" }
/** Nothing changes that a client could be told of, so no client keeps a connection open for it. */
const MAX_SUBSCRIPTIONS = 0

/**
 * Creates the streamable HTTP endpoint of MCP. It has no sessions: each request is answered by itself, for the holder of the
 * admin token that it carries. Sessions of the dashboard do not count, because a browser sends their cookie by itself.
 */
export function createMcpEndpoint({ version, access, call, explain, onBug }: McpEndpointOptions): McpEndpoint {
  const handler = createMcpHandler(
    ({ authInfo }) => {
      const actor = authInfo?.extra?.["actor"] as Actor
      return createMcpServer({
        version,
        call: (route, input, { signal }) => call(route, input, { actor, signal }),
        timeZone: "UTC",
        role: actor.role,
      })
    },
    { maxRequestBodySize: MAX_BODY_BYTES, maxSubscriptions: MAX_SUBSCRIPTIONS },
  )
  return {
    async handle(request) {
      try {
        const actor = await authenticate(access, request)
        // The token itself is for nobody behind this line.
        const authInfo = { token: "", clientId: actor.id ?? actor.name, scopes: [actor.role], extra: { actor } }
        return withHeaders(await handler.fetch(request, { authInfo }))
      } catch (error) {
        const explained = explain(error)
        const problem = explainError(explained)
        if (problem.code === "internal_error") onBug("mcp", explained)
        return Response.json(problem, {
          status: problem.status,
          headers: {
            ...HEADERS,
            "Content-Type": "application/problem+json",
            ...(explained instanceof ApiError && explained.headers),
          },
        })
      }
    },
    close: () => handler.close(),
  }
}

/** @throws ApiError if a page of another origin has sent the request, or there is no valid admin token */
async function authenticate(access: Pick<Access, "authenticate">, request: Request): Promise<Actor> {
  const http = toExchange(request)
  if (isForeign(http)) throw new ApiError("forbidden", "a page of another origin cannot call the gateway's MCP server")
  if (http.headers.get("authorization") === null) {
    throw new ApiError("unauthenticated", "this needs an admin token, as Authorization: Bearer TOKEN", {
      "WWW-Authenticate": "Bearer",
    })
  }
  return (await access.authenticate(http, "viewer")).actor
}

function withHeaders(response: Response): Response {
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value)
  return response
}
