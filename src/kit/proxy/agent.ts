import { Agent as HttpAgent } from "node:http"
import { Agent as HttpsAgent } from "node:https"
import type { Socket } from "node:net"
import { type ConnectionOptions, connect as connectTls } from "node:tls"
import { findProxy, type Proxies, toPort } from "./proxies.ts"
import { openTunnel } from "./tunnel.ts"

interface AgentOptions {
  readonly maxSockets: number
  /** The longest time until a proxy has connected, in ms. */
  readonly timeoutMs: number
}

/** The method that node's agents call to connect. The types of node leave it out. */
interface Connecting {
  createConnection(
    options: ConnectionOptions & { readonly host: string; readonly port: number | string },
    callback: (error: Error | null, socket?: Socket) => void,
  ): Socket | undefined
}

/** Creates agents for `node:http` and `node:https` that send requests through proxies. */
export function createProxyAgents(proxies: Proxies, { maxSockets, timeoutMs }: AgentOptions) {
  const through = <T extends HttpAgent>(protocol: "http:" | "https:", agent: T): T => {
    const connecting = agent as unknown as Connecting
    const connectDirectly = connecting.createConnection.bind(agent)
    connecting.createConnection = (options, callback) => {
      const address = { protocol, hostname: options.host, port: String(options.port) }
      const proxy = findProxy(proxies, address)
      if (proxy === undefined) return connectDirectly(options, callback)
      openTunnel({ proxy, host: options.host, port: toPort(address), timeoutMs }, (error, socket) => {
        if (socket === null) callback(error)
        else callback(null, protocol === "https:" ? connectTls({ ...options, socket }) : socket)
      })
      return undefined
    }
    return agent
  }
  const options = { keepAlive: true, maxSockets }
  return {
    httpAgent: through("http:", new HttpAgent(options)),
    httpsAgent: through("https:", new HttpsAgent(options)),
  }
}
