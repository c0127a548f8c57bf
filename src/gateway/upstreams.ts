import { HttpPool } from "../kit/http/pool.ts"
import { createProxyConnector } from "../kit/proxy/connector.ts"
import type { Provider } from "../providers/catalog.ts"
import type { Counters } from "./counters.ts"
import { FairQueue } from "./fair-queue.ts"
import type { GatewaySettings } from "./settings.ts"

/** The parsed address of a provider, and the connections to it. */
export interface Upstream {
  readonly host: string
  /** Returns the path at the provider: the base URL's, and the given one. A version that both have stands there once. */
  toPath(path: string): string
  /** Decides when a request may have a connection. */
  readonly queue: FairQueue
  /** Returns the connections for a request that is sent now. */
  pool(): HttpPool
}

interface Upstreams {
  get(provider: Provider): Upstream
  close(): Promise<void>
}

/**
 * Shorter than the time after which the large providers close an idle connection (60 s and more). A request on a
 * connection that the provider is just closing would fail, because the gateway never sends a request twice.
 */
const KEEP_ALIVE_MS = 30_000

/** Manages the connections to all providers. The pool of a provider opens with its first request. */
export function createUpstreams(settings: GatewaySettings, counters: Counters): Upstreams {
  // A provider has an entry for each of its regions.
  const upstreams = new Map<Provider, Upstream>()
  const pools = new Set<HttpPool>()

  function open(origin: string): HttpPool {
    const pool = openPool(origin, settings)
    pools.add(pool)
    return pool
  }

  /** Closes a pool when its running requests have finished, however long they take. */
  function retire(pool: HttpPool): void {
    void pool.close().then(() => pools.delete(pool))
  }

  function create({ name, baseUrl }: Provider): Upstream {
    const url = new URL(baseUrl)
    const { maxConnections: maxPerKey, queueTimeoutMs: timeoutMs } = settings
    const queue = new FairQueue({ provider: name, maxPerKey, timeoutMs, counters })
    let current = open(url.origin)
    let openedAt = performance.now()
    return {
      host: url.hostname,
      toPath: createPathJoiner(url.pathname.replace(/\/$/, "")),
      queue,
      pool() {
        // A connection in constant use would keep an address that the provider's name no longer resolves to.
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
      let upstream = upstreams.get(provider)
      if (!upstream) {
        upstream = create(provider)
        upstreams.set(provider, upstream)
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

/**
 * Base URLs are often copied with the API's version at their end, which the paths of most clients begin with, or with all
 * of the path that the client has too: `/openai` of Azure.
 */
function createPathJoiner(prefix: string): (path: string) => string {
  const version = /\/v\d+[a-z0-9]*$/.exec(prefix)?.[0]
  const start = `${version ?? prefix}/`
  const shortened = version === undefined ? "" : prefix.slice(0, -version.length)
  return (path) => (path.startsWith(start) ? shortened : prefix) + path
}

function openPool(origin: string, settings: GatewaySettings): HttpPool {
  // `rejectUnauthorized` is explicit so that NODE_TLS_REJECT_UNAUTHORIZED=0, set for another program, does not make
  // the gateway send credentials to a server that it cannot verify.
  const connect = { timeout: settings.connectTimeoutMs, noDelay: true, rejectUnauthorized: true }
  return new HttpPool(origin, {
    connect: createProxyConnector(settings.proxies, connect),
    waits: { headMs: settings.firstByteTimeoutMs, bodyMs: settings.idleTimeoutMs, idleMs: KEEP_ALIVE_MS },
  })
}
