import { Agent } from "undici"
import { createProxyConnector } from "./connector.ts"
import type { Proxies } from "./proxies.ts"

const CONNECT_TIMEOUT_MS = 10_000

/** Creates a dispatcher with which node's `fetch` uses proxies. Addresses without a proxy are reached directly. */
export function createProxyDispatcher(proxies: Proxies): Agent {
  return new Agent({
    connect: createProxyConnector(proxies, { timeout: CONNECT_TIMEOUT_MS, rejectUnauthorized: true }),
  })
}
