import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import WebSocket, { type PerMessageDeflateOptions, WebSocketServer } from "ws"
import type { Seen } from "./_tunnel.ts"

/** The bytes of a session of `ws` with itself, after the handshake. */
export interface Recording {
  readonly client: Buffer
  readonly provider: Buffer
  /** The messages, as each side sent them. */
  readonly sent: { readonly client: readonly string[]; readonly provider: readonly string[] }
  readonly extensions: string | undefined
}

/** Records a session of both sides with short and fragmented messages, pings between fragments, and close frames. */
export async function recordSession(perMessageDeflate: PerMessageDeflateOptions | false): Promise<Recording> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate })
  await once(server, "listening")
  const bytes = { client: [] as Buffer[], provider: [] as Buffer[] }
  const recorder = createServer((client) => {
    const provider = connect((server.address() as { port: number }).port, "127.0.0.1")
    tee(client, provider, bytes.client)
    tee(provider, client, bytes.provider)
  }).listen(0, "127.0.0.1")
  await once(recorder, "listening")
  const url = `ws://127.0.0.1:${(recorder.address() as { port: number }).port}/`
  const client = new WebSocket(url, { perMessageDeflate: perMessageDeflate === false ? false : perMessageDeflate })
  const accepted = once(server, "connection") as Promise<[WebSocket]>
  await once(client, "open")
  const { extensions } = client
  const [provider] = await accepted
  const sent = { client: [] as string[], provider: [] as string[] }
  for (const [side, socket, other] of [
    ["client", client, provider],
    ["provider", provider, client],
  ] as const) {
    let arrived = 0
    other.on("message", () => arrived++)
    await speak(socket, sent[side])
    while (arrived < sent[side].length) await once(other, "message")
  }
  client.close(4001, "recorded")
  await once(provider, "close")
  await once(client, "close")
  recorder.close()
  server.close()
  return {
    client: withoutHead(Buffer.concat(bytes.client)),
    provider: withoutHead(Buffer.concat(bytes.provider)),
    sent,
    extensions: extensions || undefined,
  }
}

async function speak(socket: WebSocket, sent: string[]): Promise<void> {
  const whole = ["hello", "", JSON.stringify({ type: "response.create", text: "hello hello hello" })]
  for (const text of whole) socket.send(text)
  socket.ping("now")
  socket.send(Buffer.from([0, 255, 128, 10]), { binary: true })
  socket.send("the first part, ", { fin: false })
  socket.ping("between")
  socket.send("the second, ", { fin: false })
  socket.send("the last.", { fin: true })
  const long = "a message that is longer than 125 bytes, and says hello again. ".repeat(3)
  socket.send(long)
  socket.pong("unasked")
  sent.push(...whole, "\x00\xff\x80\n", "the first part, the second, the last.", long)
}

function tee(from: Socket, to: Socket, into: Buffer[]): void {
  from.on("data", (piece) => {
    into.push(piece)
    to.write(piece)
  })
  from.on("end", () => to.end()).on("error", () => to.destroy())
}

function withoutHead(bytes: Buffer): Buffer {
  return bytes.subarray(bytes.indexOf("\r\n\r\n") + 4)
}

/** Returns the messages of one side that a watcher saw. */
export function messagesOf(seen: readonly Seen[], side: Seen[0]): string[] {
  return seen.filter(([from]) => from === side).map(([, message]) => message)
}
