import { createServer, type IncomingMessage } from "node:http"
import { createServer as createTlsServer, type ServerOptions } from "node:https"
import { type AddressInfo, connect, type Socket } from "node:net"

/** An HTTP proxy on the loopback interface that only knows the method CONNECT. It resolves every name to 127.0.0.1. */
export interface ConnectProxy {
  readonly port: number
  /** The targets of all requests, `host:port`, oldest first. */
  readonly targets: readonly string[]
  /** How it answers instead of connecting: with a status, or not at all. */
  fault: number | "silent" | undefined
  close(): Promise<void>
}

/**
 * Starts a proxy. @param options.credentials `user:password` that it requires
 * @param options.tls makes it a proxy with https://
 */
export async function startConnectProxy(
  options: { readonly credentials?: string; readonly tls?: ServerOptions } = {},
): Promise<ConnectProxy> {
  const { credentials, tls } = options
  const targets: string[] = []
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket)
    return socket.on("error", () => {}).on("close", () => sockets.delete(socket))
  }
  const expected = credentials && `Basic ${Buffer.from(credentials).toString("base64")}`
  const server = tls ? createTlsServer(tls) : createServer()
  server.on("connection", keep)
  server.on("connect", (request: IncomingMessage, client: Socket, head: Buffer) => {
    keep(client)
    targets.push(request.url!)
    if (proxy.fault === "silent") return
    const isAllowed = expected === undefined || request.headers["proxy-authorization"] === expected
    const status = isAllowed ? proxy.fault : 407
    if (status !== undefined) return void client.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`)
    const upstream = keep(connect(Number(request.url!.split(":").at(-1)), "127.0.0.1"))
    upstream.once("connect", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n")
      upstream.write(head)
      upstream.pipe(client).pipe(upstream)
    })
    upstream.once("close", () => client.destroy())
    client.once("close", () => upstream.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const proxy: ConnectProxy = {
    port: (server.address() as AddressInfo).port,
    targets,
    fault: undefined,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return proxy
}
