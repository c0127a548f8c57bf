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

/** A request may carry its own script: this header with a `Script` in JSON. It wins over `next` and `always`. */
export const SCRIPT_HEADER = "x-fake-provider"

/** One request that the fake provider saw, and what it answered. Grows until `ended` settles. */
export interface ProviderExchange {
  /** Counts from 0. */
  readonly number: number
  /** The connection that it came on, counted from 0: tells kept-alive from new. */
  readonly connection: number
  readonly method: string
  /** The request target as sent. */
  readonly url: string
  readonly rawHeaders: readonly string[]
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The body parsed; undefined where it is no JSON. */
  readonly json: unknown
  /** What the row of this request must say, if the answer came whole. */
  readonly tokens: Tokens
  /** The model that the answer names. */
  readonly model: string
  /** Undefined until the head was sent. */
  readonly statusCode: number | undefined
  /** The bytes of the body written so far, compressed where the script says so, without transfer framing. */
  readonly sentBody: Buffer
  /** The caller's connection closed before the answer was whole. */
  readonly aborted: boolean
  /** How the answer ended. */
  readonly ended: Promise<Sent>
}

export interface FakeProvider {
  /** `http://127.0.0.1:PORT`, or https. */
  readonly origin: string
  readonly port: number
  /** All requests seen, oldest first. Empty with `record: false`. */
  readonly exchanges: readonly ProviderExchange[]
  /** Connections that are open now. */
  readonly openConnections: number
  /** The script of the next request that has no own one; several calls queue up. */
  next(script: Script): void
  /** The script of every request that has no other one. */
  always(script: Script): void
  /** The oldest request that no earlier call took, as soon as its body has arrived whole. */
  nextRequest(): Promise<ProviderExchange>
  /** Forgets scripts and requests; connections stay. */
  reset(): void
  /** Closes the idle connections, as a provider does whose keep-alive time is over. */
  closeIdleConnections(): void
  close(): Promise<void>
}

export interface FakeProviderOptions {
  readonly port?: number
  /** `false` keeps no requests and makes each answer only once: for the bench. */
  readonly record?: boolean
  /** PEM texts: speaks TLS. */
  readonly tls?: { readonly key: string; readonly cert: string }
}

/** A provider of our own on the loopback: OpenAI, Anthropic and Gemini by path, predictable to the byte. */
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

/** What arrived of the body; all of it, unless the caller left. */
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

/** `Promise.withResolvers`, which node 20 has not. */
function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
