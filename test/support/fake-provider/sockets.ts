import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { AddressInfo } from "node:net"
import { json } from "node:stream/consumers"
import { type RawData, type WebSocket, WebSocketServer } from "ws"
import { type Script, toAsk } from "./_shape.ts"
import { makeAnswer } from "./answer.ts"
import { createLiveSession } from "./live-session.ts"
import { createRealtimeSession } from "./realtime-session.ts"
import { createResponsesSession } from "./responses-session.ts"
import { sendAnswer as sendHttpAnswer } from "./send.ts"

/** How the provider behaves in a session. Missing members mean the behavior of the real provider. */
export interface SessionScript extends Pick<Script, "text" | "pieces" | "model" | "tokens" | "serviceTier"> {
  /** With `false`, answers state no usage. An object is sent as the usage, unchanged. */
  readonly usage?: false | Readonly<Record<string, unknown>>
  /** Rejects what the client asks for with this status, in the form of the API. */
  readonly status?: number
  /** Answers handshakes with this status instead of 101. */
  readonly handshakeStatus?: number
  /** The seconds of sound in a spoken answer; 0.5 by default. */
  readonly soundSeconds?: number
  /** Called and awaited before each message of an answer, counted from 0 in the answer, so that a test can hold it. */
  readonly beforeMessage?: (index: number) => Promise<void> | void
  /** Destroys the connection after this many messages of an answer. */
  readonly breakAfterMessages?: number
}

/** One session that the provider holds. */
export interface ProviderSession {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** The messages of the client. */
  readonly received: readonly Buffer[]
  readonly sent: readonly Buffer[]
  /** The messages of both sides in the order in which the provider saw them. */
  readonly log: readonly (readonly [from: "client" | "provider", message: Buffer])[]
  /** Sends a message of the test's own. */
  send(message: object | string | Buffer): void
  close(code: number, reason?: string): void
  /** Breaks the connection off without a close frame, after the messages sent so far. */
  break(): void
  /** The close code of the client; 1006: the connection ended without one. */
  readonly closed: Promise<number>
}

export interface FakeSessions {
  /** `http://127.0.0.1:PORT`, or https. */
  readonly origin: string
  readonly port: number
  /** All sessions, oldest first. */
  readonly sessions: readonly ProviderSession[]
  /** Waits for the oldest session that no earlier call returned. */
  nextSession(): Promise<ProviderSession>
  /** Sets how the provider behaves from now on, also in open sessions. */
  always(script: SessionScript): void
  close(): Promise<void>
}

export interface FakeSessionsOptions {
  readonly port?: number
  /** With `false`, it agrees on no compression. */
  readonly compresses?: boolean
  /** Texts in PEM format. With them, it uses TLS. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** The only credential that is right. Requests with another one, or with several, get 401. */
  readonly secret?: string
}

/** What an API does in one session. */
export interface SessionApi {
  /** Called when the session is open. */
  open?(): void
  onMessage(message: Readonly<Record<string, unknown>>): Promise<void> | void
}

/** What a session offers to the API that speaks in it. */
export interface SessionPort {
  readonly url: URL
  readonly script: SessionScript
  /** Sends one message. With `isBinary`, it is JSON in a binary frame, as Google sends it. */
  send(message: object, isBinary?: boolean): void
  /** Sends the messages of one answer, as the script says. Resolves when all are sent, or the connection is gone. */
  answer(messages: readonly object[], isBinary?: boolean): Promise<void>
}

/**
 * Starts a provider of sessions on the loopback interface: OpenAI's Responses and Realtime APIs and Gemini's Live API by
 * path, with predictable answers. It agrees on compression with clients that offer it. Requests without an upgrade are
 * answered like those of the fake provider.
 */
export async function startFakeSessions({
  port = 0,
  compresses = true,
  tls,
  secret,
}: FakeSessionsOptions = {}): Promise<FakeSessions> {
  const sessions: ProviderSession[] = []
  const untaken: ProviderSession[] = []
  const waiting: ((session: ProviderSession) => void)[] = []
  let script: SessionScript = {}
  const listener = tls === undefined ? createServer() : createTlsServer(tls)
  const server = new WebSocketServer({
    server: listener,
    perMessageDeflate: compresses ? { threshold: 0 } : false,
    verifyClient: ({ req }, done) => {
      const status = hasCredential(req, secret) ? script.handshakeStatus : 401
      if (status === undefined) return done(true)
      const message = `The fake provider was told to answer ${status}.`
      done(
        false,
        status,
        JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code: null } }),
        {
          "Content-Type": "application/json",
        },
      )
    },
    // Clients in browsers put their key into a second protocol, which is not answered.
    handleProtocols: (protocols) => protocols.values().next().value ?? false,
  })
  listener.on("request", async (request: IncomingMessage, response: ServerResponse) => {
    const { method = "", url = "" } = request
    const ask = toAsk(method, url, method === "GET" ? {} : await json(request).catch(() => ({})), {})
    const isRight = hasCredential(request, secret)
    await sendHttpAnswer(response, makeAnswer(isRight ? ask : { ...ask, script: { status: 401 } }), {
      script: {},
      onBytes: () => {},
    })
  })
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject)
    listener.listen(port, "127.0.0.1", resolve)
  })

  server.on("connection", (socket: WebSocket, request: IncomingMessage) => {
    const url = new URL(request.url ?? "/", "http://far.side")
    const session = createSession(socket, request)
    const api = createApi({
      url,
      get script() {
        return script
      },
      send: (message, isBinary) => session.write(message, isBinary),
      answer: (messages, isBinary) => sendAnswer(session, messages, { script, isBinary }),
    })
    socket.on("message", (data: RawData) => {
      const bytes = Buffer.isBuffer(data) ? data : Buffer.concat(data as Buffer[])
      session.receive(bytes)
      void api?.onMessage(JSON.parse(bytes.toString("utf8")))
    })
    sessions.push(session)
    const taker = waiting.shift()
    if (taker === undefined) untaken.push(session)
    else taker(session)
    if (api === undefined) socket.close(1008, "no such path")
    else api.open?.()
  })

  const bound = (listener.address() as AddressInfo).port
  return {
    origin: `${tls === undefined ? "http" : "https"}://127.0.0.1:${bound}`,
    port: bound,
    sessions,
    nextSession: () => {
      const session = untaken.shift()
      return session === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(session)
    },
    always: (next) => {
      script = next
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of server.clients) socket.terminate()
        server.close()
        listener.close(() => resolve())
        listener.closeAllConnections()
      }),
  }
}

/** Returns whether the request has this credential, in whichever place, and no other. */
function hasCredential({ headers, url }: IncomingMessage, secret: string | undefined): boolean {
  if (secret === undefined) return true
  const { searchParams } = new URL(url ?? "/", "http://far.side")
  const protocols = headers["sec-websocket-protocol"]?.split(/, */) ?? []
  const found = [
    headers.authorization?.replace(/^Bearer /, ""),
    headers["api-key"],
    headers["x-goog-api-key"],
    searchParams.get("key"),
    searchParams.get("api-key"),
    protocols.find((name) => name.startsWith(CREDENTIAL_PROTOCOL))?.slice(CREDENTIAL_PROTOCOL.length),
  ].filter((value) => value != null)
  return found.length > 0 && found.every((value) => value === secret)
}

const CREDENTIAL_PROTOCOL = "openai-insecure-api-key."

function createApi(port: SessionPort): SessionApi | undefined {
  const { pathname } = port.url
  if (pathname.endsWith("/responses")) return createResponsesSession(port)
  if (pathname.endsWith("/realtime")) return createRealtimeSession(port)
  return pathname.includes("BidiGenerateContent") ? createLiveSession(port) : undefined
}

type OpenSession = ProviderSession & {
  readonly isOpen: boolean
  receive(message: Buffer): void
  write(message: object, isBinary?: boolean): void
}

function createSession(socket: WebSocket, request: IncomingMessage): OpenSession {
  const sent: Buffer[] = []
  const received: Buffer[] = []
  const log: ["client" | "provider", Buffer][] = []
  // Messages are compressed one after the other, so that the last ones may still be here.
  let flushed = Promise.resolve()
  const closed = new Promise<number>((resolve) => socket.once("close", resolve))
  socket.on("error", () => {})
  function send(bytes: Buffer, isBinary: boolean): void {
    if (socket.readyState !== socket.OPEN) return
    sent.push(bytes)
    log.push(["provider", bytes])
    flushed = new Promise((resolve) => socket.send(bytes, { binary: isBinary }, () => resolve()))
  }
  return {
    url: request.url ?? "",
    headers: request.headers,
    received,
    sent,
    log,
    closed,
    receive: (message) => {
      received.push(message)
      log.push(["client", message])
    },
    get isOpen() {
      return socket.readyState === socket.OPEN
    },
    write: (message, isBinary = false) => send(Buffer.from(JSON.stringify(message)), isBinary),
    send: (message) => {
      if (Buffer.isBuffer(message)) send(message, true)
      else send(Buffer.from(typeof message === "string" ? message : JSON.stringify(message)), false)
    },
    close: (code, reason) => socket.close(code, reason),
    break: () => void flushed.then(() => socket.terminate()),
  }
}

async function sendAnswer(
  session: OpenSession,
  messages: readonly object[],
  { script, isBinary }: { readonly script: SessionScript; readonly isBinary: boolean | undefined },
): Promise<void> {
  for (const [index, message] of messages.entries()) {
    await script.beforeMessage?.(index)
    if (index === script.breakAfterMessages) return session.break()
    if (!session.isOpen) return
    session.write(message, isBinary)
  }
}
