import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { AddressInfo, Socket } from "node:net"
import { type Script, type Tokens, toAsk } from "./fake-provider/_shape.ts"
import { makeAnswer } from "./fake-provider/answer.ts"
import { type Sent, sendAnswer } from "./fake-provider/send.ts"

export { countTokens, promptText, type Script, type Tokens } from "./fake-provider/_shape.ts"

/** A header with a `Script` in JSON, so that a request can carry its own script. It overrides `next` and `always`. */
export const SCRIPT_HEADER = "x-fake-provider"

/** One request that the fake provider received, and its response. It is updated until `ended` settles. */
export interface ProviderExchange {
  /** The number of the request, from 0. */
  readonly number: number
  /** The number of its connection, from 0, which distinguishes reused connections from new ones. */
  readonly connection: number
  readonly method: string
  /** The request target as sent. */
  readonly url: string
  readonly rawHeaders: readonly string[]
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The parsed body, or undefined if it is not JSON. */
  readonly json: unknown
  /** What the row of this request must contain if the response is complete. */
  readonly tokens: Tokens
  /** The model in the response. */
  readonly model: string
  /** Undefined until the headers were sent. */
  readonly statusCode: number | undefined
  /** The bytes of the body written so far, compressed if the script says so, without transfer framing. */
  readonly sentBody: Buffer
  /** Whether the client's connection closed before the response was complete. */
  readonly aborted: boolean
  /** How the response ended. */
  readonly ended: Promise<Sent>
}

export interface FakeProvider {
  /** `http://127.0.0.1:PORT`, or https. */
  readonly origin: string
  readonly port: number
  /** All received requests, oldest first. Empty with `record: false`. */
  readonly exchanges: readonly ProviderExchange[]
  /** The number of open connections. */
  readonly openConnections: number
  /** Sets the script of the next request without its own script. Several calls form a queue. */
  next(script: Script): void
  /** Sets the script of every request without another one. */
  always(script: Script): void
  /** Waits for the oldest request that no earlier call returned, until its body has arrived completely. */
  nextRequest(): Promise<ProviderExchange>
  /** Clears scripts and requests. Connections stay open. */
  reset(): void
  /** Closes idle connections, like a provider whose keep-alive timeout is over. */
  closeIdleConnections(): void
  close(): Promise<void>
}

export interface FakeProviderOptions {
  readonly port?: number
  /** With `false`, it keeps no requests and builds each response only once, for the benchmark. */
  readonly record?: boolean
  /** Texts in PEM format. With them, it uses TLS. */
  readonly tls?: { readonly key: string; readonly cert: string }
}

/** Starts a provider on the loopback interface: OpenAI, Anthropic and Gemini by path, with predictable bytes. */
export async function startFakeProvider({
  port = 0,
  record = true,
  tls,
}: FakeProviderOptions = {}): Promise<FakeProvider> {
  let exchanges: ProviderExchange[] = []
  let untaken: ProviderExchange[] = []
  let waiting: ((exchange: ProviderExchange) => void)[] = []
  let scripts: Script[] = []
  let always: Script = {}
  let seen = 0
  const connections = new Map<Socket, number>()
  const made = new Map<string, ReturnType<typeof makeAnswer>>()
  let accepted = 0

  const server: Server = tls === undefined ? createServer() : (createTlsServer(tls) as Server)
  // On a busy machine, a gateway would send a request on an idle connection at the moment at which it is closed after 5 s.
  server.keepAliveTimeout = 0
  server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
    connections.set(socket, accepted++)
    socket.once("close", () => connections.delete(socket))
  })
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    void (record ? answerRecorded(request, response) : answerFast(request, response))
  })

  async function answerRecorded(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const connection = connections.get(request.socket) ?? -1
    const body = await readBody(request)
    const json = parse(body)
    const script = ownScript(request) ?? scripts.shift() ?? always
    const ask = toAsk(request.method ?? "", request.url ?? "", json, script)
    const sent: Buffer[] = []
    let aborted = false
    const { promise: ended, resolve } = withResolvers<Sent>()
    const exchange: ProviderExchange = {
      number: seen++,
      connection,
      method: request.method ?? "",
      url: request.url ?? "",
      rawHeaders: request.rawHeaders,
      headers: request.headers,
      body,
      json,
      tokens: ask.tokens,
      model: ask.model,
      get statusCode() {
        return response.headersSent ? response.statusCode : undefined
      },
      get sentBody() {
        return Buffer.concat(sent)
      },
      get aborted() {
        return aborted
      },
      ended,
    }
    exchanges.push(exchange)
    const taker = waiting.shift()
    if (taker === undefined) untaken.push(exchange)
    else taker(exchange)
    const how = await sendAnswer(response, makeAnswer(ask), { script, onBytes: (bytes) => sent.push(bytes) })
    aborted = how === "caller_left"
    resolve(how)
  }

  async function answerFast(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    const script = ownScript(request) ?? always
    const key = `${request.url}\n${request.headers[SCRIPT_HEADER] ?? ""}\n${body.toString("latin1")}`
    let answer = made.get(key)
    if (answer === undefined) {
      answer = makeAnswer(toAsk(request.method ?? "", request.url ?? "", parse(body), script))
      if (made.size < 1000) made.set(key, answer)
    }
    await sendAnswer(response, answer, { script, onBytes: () => {} })
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, "127.0.0.1", () => resolve())
  })
  const bound = (server.address() as AddressInfo).port

  return {
    origin: `${tls === undefined ? "http" : "https"}://127.0.0.1:${bound}`,
    port: bound,
    get exchanges() {
      return exchanges
    },
    get openConnections() {
      return connections.size
    },
    next: (script) => void scripts.push(script),
    always: (script) => {
      always = script
      made.clear()
    },
    nextRequest: () => {
      const exchange = untaken.shift()
      return exchange === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(exchange)
    },
    reset: () => {
      exchanges = []
      untaken = []
      waiting = []
      scripts = []
      always = {}
      made.clear()
    },
    closeIdleConnections: () => server.closeIdleConnections(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function ownScript(request: IncomingMessage): Script | undefined {
  const header = request.headers[SCRIPT_HEADER]
  return typeof header === "string" ? (JSON.parse(header) as Script) : undefined
}

/** Reads the body that arrived, which is incomplete if the client disconnected. */
function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  return new Promise((resolve) => {
    request.on("data", (part: Buffer) => parts.push(part))
    request.on("error", () => {})
    request.on("close", () => resolve(Buffer.concat(parts)))
    request.on("end", () => resolve(Buffer.concat(parts)))
  })
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"))
  } catch {
    return undefined
  }
}

/** `Promise.withResolvers`, which node 20 does not have. */
function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
