import { createHash, randomBytes } from "node:crypto"
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import { constants, createDeflateRaw, type DeflateRaw } from "node:zlib"
import { expect, test } from "vitest"
import WebSocket from "ws"
import { HANG_MS } from "../../support/until.ts"
import { messagesOf } from "./_recording.ts"
import { connectPair, frame, startTunnel, toFarEnd } from "./_tunnel.ts"

const ROUNDS = 25
const MESSAGES = 30

test("random messages, cut anywhere, are read as the client of ws reads them", { timeout: HANG_MS }, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const random = createRandom(round + 1)
    const extensions = [
      undefined,
      "permessage-deflate",
      "permessage-deflate; server_no_context_takeover; client_max_window_bits=12",
    ][random(3)]
    const { client, near, provider } = await connectThroughTunnel(extensions)
    const { frames, count } = await makeSession(random, extensions)
    const received: string[] = []
    client.on("message", (data: Buffer) => void received.push(data.toString("latin1")))
    const [providerFar, providerNear] = await provider
    const open = startTunnel(
      { client: near, provider: providerNear },
      { client: toFarEnd(near), provider: toFarEnd(providerFar) },
      { extensions },
    )
    for (let at = 0; at < frames.length; ) {
      const end = at + 1 + random(random(2) === 0 ? 10 : 20_000)
      providerFar.write(frames.subarray(at, end))
      if (random(3) === 0) await new Promise(setImmediate)
      at = end
    }
    while (received.length < count) await once(client, "message")
    expect(messagesOf(open.seen, "provider"), `round ${round}`).toEqual(received)
    expect(open.unread).toEqual([])
    client.terminate()
    open.close()
  }
})

/** Opens the client of `ws`, whose handshake is answered by hand, and the connection to its provider. */
async function connectThroughTunnel(extensions: string | undefined) {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const accepted = once(server, "connection") as Promise<[Socket]>
  const client = new WebSocket("ws://127.0.0.1/", {
    createConnection: () => connect((server.address() as { port: number }).port, "127.0.0.1"),
  })
  client.on("error", () => {})
  const [near] = await accepted
  const [head] = (await once(near, "data")) as [Buffer]
  near.pause()
  near.removeAllListeners("data")
  const key = /sec-websocket-key: (\S+)/i.exec(head.toString())![1]!
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64")
  const agreed = extensions === undefined ? "" : `Sec-WebSocket-Extensions: ${extensions}\r\n`
  near.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${agreed}\r\n`,
  )
  await once(client, "open")
  server.close()
  return { client, near, provider: connectPair() }
}

/** Makes the frames of a server: messages in fragments, compressed or not, with control frames anywhere between frames. */
async function makeSession(random: (below: number) => number, extensions: string | undefined) {
  const parts: Buffer[] = []
  const keepsContext = !extensions?.includes("server_no_context_takeover")
  let deflate: DeflateRaw | undefined
  for (let i = 0; i < MESSAGES; i++) {
    const opcode = 1 + random(2)
    const length = [random(5), random(200), random(2000), random(90_000)][random(4)]!
    const text = opcode === 1 ? "héllo ".repeat(length / 7) : ""
    const content = opcode === 1 ? Buffer.from(text) : randomBytes(length)
    const isCompressed = extensions !== undefined && random(3) > 0
    if (isCompressed) deflate = keepsContext && deflate ? deflate : createDeflateRaw()
    const payload = isCompressed ? await compress(deflate!, content) : content
    const cuts = Array.from({ length: random(4) }, () => random(payload.length + 1)).sort((a, b) => a - b)
    const bounds = [0, ...cuts, payload.length]
    for (let part = 1; part < bounds.length; part++) {
      if (random(4) === 0) parts.push(frame(randomBytes(random(126)), { opcode: 9 + random(2) }))
      parts.push(
        frame(payload.subarray(bounds[part - 1], bounds[part]), {
          opcode: part === 1 ? opcode : 0,
          isFinal: part === bounds.length - 1,
          isCompressed: isCompressed && part === 1,
        }),
      )
    }
  }
  return { frames: Buffer.concat(parts), count: MESSAGES }
}

function compress(deflate: DeflateRaw, content: Buffer): Promise<Buffer> {
  const pieces: Buffer[] = []
  const collect = (piece: Buffer) => void pieces.push(piece)
  deflate.on("data", collect)
  deflate.write(content)
  return new Promise((resolve) => {
    deflate.flush(constants.Z_SYNC_FLUSH, () => {
      deflate.off("data", collect)
      resolve(Buffer.concat(pieces).subarray(0, -4))
    })
  })
}

/** Returns a generator of numbers that is the same for the same seed (xorshift). */
function createRandom(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}
