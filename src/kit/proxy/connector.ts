import { buildConnector } from "undici"
import { findProxy, type Proxies, toPort } from "./proxies.ts"
import { openTunnel } from "./tunnel.ts"

type ConnectorOptions = buildConnector.BuildOptions & {
  /** The longest time to connect, to the proxy and then to the host, in ms. */
  readonly timeout: number
}

/** Creates the function that opens connections: directly, or through the proxy of an address. TLS is the same for both. */
export function createProxyConnector(
  proxies: Proxies | undefined,
  options: ConnectorOptions,
): buildConnector.connector {
  const connect = buildConnector(options)
  if (proxies === undefined) return connect
  return (target, callback) => {
    const address = { ...target, port: target.port ?? "" }
    const proxy = findProxy(proxies, address)
    if (proxy === undefined) return connect(target, callback)
    const to = { proxy, host: target.hostname, port: toPort(address), timeoutMs: options.timeout }
    openTunnel(to, (error, socket) => {
      if (socket === null) callback(error ?? new Error("no connection"), null)
      else if (target.protocol === "https:") connect({ ...target, httpSocket: socket }, callback)
      else callback(null, socket)
    })
  }
}
