import { type Dispatcher, errors, Pool } from "undici"
import { GatewayError } from "../core/errors.ts"
import type { Provider } from "../providers/catalog.ts"
import type { GatewaySettings } from "./deps.ts"

/** A provider's address, split once. */
export interface Upstream {
  readonly host: string
  /** Path prefix of the base URL, without a slash at the end. */
  readonly prefix: string
  /** The connections for a request that is sent now. */
  pool(): Dispatcher
}

/** What undici tells of one answer, in its order. */
export type AnswerHandler = Dispatcher.DispatchHandler & { onError(error: Error): void }

const MAX_HEADER_BYTES = 64 * 1024
const KEEP_ALIVE_MS = 30_000

/** The connections to all providers. A provider's pool is made when it is first called. */
export function createUpstreams(settings: GatewaySettings): {
  get(provider: Provider): Upstream
  close(): Promise<void>
} {
  const upstreams = new Map<string, Upstream>()
  const pools = new Set<Pool>()

  function open(origin: string): Pool {
    const pool = new Pool(origin, {
      connections: settings.maxConnections,
      pipelining: 1,
      // Below the idle time after which the big providers close (60 s and more), so that a request
      // rarely meets a socket that is just being closed: it would be lost, for it is never sent twice.
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      // Said, so that NODE_TLS_REJECT_UNAUTHORIZED=0, set for something else, does not give credentials to anybody.
      connect: { timeout: settings.connectTimeoutMs, noDelay: true, rejectUnauthorized: true },
      headersTimeout: settings.firstByteTimeoutMs,
      bodyTimeout: settings.idleTimeoutMs,
      maxHeaderSize: MAX_HEADER_BYTES,
    })
    pools.add(pool)
    return pool
  }

  /** Lets its running answers finish, however long they take. */
  function retire(pool: Pool): void {
    const forget = () => void pools.delete(pool)
    pool.close().then(forget, forget)
  }

  function create(url: URL): Upstream {
    let current = open(url.origin)
    let openedAt = performance.now()
    return {
      host: url.hostname,
      prefix: url.pathname.replace(/\/$/, ""),
      pool() {
        // A connection in constant use would stay with an address that the provider's name has long left. (undici's
        // own clientTtl keeps one callback per request while a stream outlives that age.)
        if (performance.now() - openedAt > settings.maxConnectionAgeMs) {
          retire(current)
          current = open(url.origin)
          openedAt = performance.now()
        }
        return current
      },
    }
  }

  return {
    get(provider) {
      let upstream = upstreams.get(provider.name)
      if (!upstream) {
        upstream = create(new URL(provider.baseUrl))
        upstreams.set(provider.name, upstream)
      }
      return upstream
    },
    async close() {
      await Promise.all([...pools].map((pool) => pool.destroy()))
      upstreams.clear()
      pools.clear()
    },
  }
}

/** Why there is no answer, in words that name neither an address nor a key. */
export function toUpstreamError(error: unknown, provider: string): GatewayError {
  if (error instanceof GatewayError) return error
  if (error instanceof errors.ConnectTimeoutError) {
    return new GatewayError("provider_timeout", `The provider ${provider} did not accept a connection in time.`)
  }
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
    return new GatewayError("provider_timeout", `The provider ${provider} did not answer in time.`)
  }
  if (error instanceof errors.InvalidArgumentError) {
    return new GatewayError("bad_request", "The request has a header or a target that cannot be sent on.")
  }
  return new GatewayError("provider_unreachable", `The provider ${provider} could not be reached (${reason(error)}).`)
}

function reason(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  switch (code) {
    case "ECONNREFUSED":
      return "connection refused"
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "its name could not be resolved"
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
      return "the connection broke before the answer"
    case "ETIMEDOUT":
      return "connection timed out"
    default:
      if (typeof code === "string" && /CERT|TLS|SSL|SIGNATURE|ALTNAME/.test(code))
        return "its TLS certificate was not accepted"
      if (typeof code === "string" && code.startsWith("HPE_")) return "it did not answer in valid HTTP"
      return "no valid answer"
  }
}
