import { once } from "node:events"
import type { IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import WebSocket, { type ClientOptions, type ServerOptions, WebSocketServer } from "ws"
import { MemberNames } from "../../../src/kit/json/members.ts"
import { DIALECTS } from "../../../src/providers/catalog.ts"
import { KEY, type Pipeline, startPipeline } from "../../support/pipeline.ts"
import { collect } from "./_responses.ts"

/** The dialects, of which OpenAI's has WebSockets at these paths, whose messages belong to no turn. */
export const DIALECTS_WITH_SOCKETS = {
  ...DIALECTS,
  openai: {
    ...DIALECTS.openai,
    sockets: {
      opens: (path: string) => /\/(?:realtime|responses)$/.test(path),
      createReader: () => ({ onClient: () => undefined, onProvider: () => undefined, onRejected() {} }),
      errorMessage: () => "{}",
      askingNames: new MemberNames(["type"]),
    },
  },
}

/** A provider's WebSocket server. */
export interface SocketProvider {
  readonly origin: string
  readonly server: WebSocketServer
  /** The handshakes, oldest first. */
  readonly handshakes: readonly IncomingMessage[]
  /** Resolves with the next connection. */
  accepted(): Promise<WebSocket>
  close(): Promise<void>
}

export async function startSocketProvider(options: ServerOptions = {}): Promise<SocketProvider> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...options })
  await once(server, "listening")
  const handshakes: IncomingMessage[] = []
  const unclaimed: WebSocket[] = []
  const waiting: ((socket: WebSocket) => void)[] = []
  server.on("connection", (socket, request) => {
    handshakes.push(request)
    socket.on("error", () => {})
    const take = waiting.shift()
    if (take) take(socket)
    else unclaimed.push(socket)
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    handshakes,
    accepted: () => {
      const socket = unclaimed.shift()
      return socket ? Promise.resolve(socket) : new Promise((resolve) => waiting.push(resolve))
    },
    async close() {
      for (const client of server.clients) client.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Starts the pipeline with WebSockets. */
export function startSocketPipeline(
  upstream: string,
  options: Omit<Parameters<typeof startPipeline>[0], "upstream"> = {},
): Promise<Pipeline> {
  return startPipeline({ upstream, ...options, deps: { dialects: DIALECTS_WITH_SOCKETS, ...options.deps } })
}

export type SocketOptions = ClientOptions & { readonly path?: string; readonly subprotocols?: string[] }

/** Opens a WebSocket through the gateway. */
export async function connectSocket(
  { port }: { readonly port: number },
  options: SocketOptions = {},
): Promise<WebSocket> {
  const { path = "/v1/realtime?model=gpt-realtime", subprotocols = [], ...rest } = options
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, subprotocols, {
    ...rest,
    headers: { authorization: "Bearer sk-test", "x-majordomo-key": KEY, ...rest.headers },
  })
  await once(socket, "open")
  return socket
}

/** The two ends of a WebSocket through the gateway. */
export interface Pair {
  readonly client: WebSocket
  readonly far: WebSocket
}

/** Opens a WebSocket, and collects the messages of both ends. */
export async function openPair(
  gateway: { readonly port: number },
  provider: SocketProvider,
  options: SocketOptions = {},
): Promise<Pair> {
  const accepted = provider.accepted().then(collect)
  const client = collect(await connectSocket(gateway, options))
  return { client, far: await accepted }
}
