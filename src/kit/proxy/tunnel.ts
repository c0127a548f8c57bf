import { type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { isIP, type Socket } from "node:net"

/** The gateway's proxy gave no connection. The message completes "… could not be reached"; it has no address and no credential. */
export class ProxyError extends Error {
  override readonly name = "ProxyError"
  readonly code = "EPROXY"
  readonly isTimeout: boolean

  constructor(message: string, isTimeout = false) {
    super(message)
    this.isTimeout = isTimeout
  }
}

interface TunnelOptions {
  /** http or https, with credentials if the proxy needs them. */
  readonly proxy: URL
  readonly host: string
  readonly port: string
  readonly timeoutMs: number
}

/** Opens a connection to a host through a proxy, by the method CONNECT. `callback` is called once. */
export function openTunnel(
  { proxy, host, port, timeoutMs }: TunnelOptions,
  callback: (error: ProxyError | null, socket: Socket | null) => void,
): void {
  const authority = `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`
  const proxyHost = proxy.hostname.replace(/^\[(.*)\]$/, "$1")
  const request = (proxy.protocol === "https:" ? requestHttps : requestHttp)({
    method: "CONNECT",
    host: proxyHost,
    port: proxy.port || (proxy.protocol === "https:" ? 443 : 80),
    path: authority,
    headers: { host: authority, ...toAuthorization(proxy) },
    agent: false,
    // For a proxy with https://. Node would verify the certificate against the header `host`, which names the provider.
    servername: isIP(proxyHost) === 0 ? proxyHost : "",
    // NODE_TLS_REJECT_UNAUTHORIZED has no effect here either.
    rejectUnauthorized: true,
  })
  const end = (error: ProxyError | null, socket: Socket | null) => {
    clearTimeout(timer)
    request.removeAllListeners().on("error", () => {})
    if (error !== null) request.destroy()
    callback(error, socket)
  }
  const timer = setTimeout(() => end(new ProxyError("the proxy did not answer in time", true), null), timeoutMs)
  request
    .once("connect", (response: IncomingMessage, socket: Socket, head: Buffer) => {
      if (response.statusCode !== 200) return end(toRejection(response.statusCode), null)
      // An error of the connection also closes it, which its user sees.
      socket.on("error", () => {})
      socket.setNoDelay(true).setKeepAlive(true, 60_000)
      if (head.length > 0) socket.unshift(head)
      end(null, socket)
    })
    .once("error", (error: NodeJS.ErrnoException) =>
      end(new ProxyError(`no connection to the proxy, ${error.code ?? "which broke it off"}`), null),
    )
    .end()
}

function toRejection(status: number | undefined): ProxyError {
  const why = status === 407 ? "the proxy requires other credentials" : "the proxy rejected the connection"
  return new ProxyError(`${why}, ${status}`)
}

function toAuthorization({ username, password }: URL): { readonly "proxy-authorization"?: string } {
  if (username === "" && password === "") return {}
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}` }
}
