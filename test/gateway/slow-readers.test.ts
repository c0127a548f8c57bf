import { createServer } from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"
import { afterEach, expect, test } from "vitest"
import { ClientResponse } from "../../src/gateway/client-response.ts"

const BODY = Buffer.alloc(32 << 20, "x")
const WRITE_TIMEOUT_MS = 2500
const READ_MS = 6000

const server = createServer((_, response) => {
  const client = new ClientResponse(response, WRITE_TIMEOUT_MS)
  response.once("close", () => client.closed())
  client.head(200, "", ["Content-Length", String(BODY.length)], true)
  client.end(BODY)
})
afterEach(() => new Promise<void>((resolve) => void server.close(() => resolve())))

/** Starts to read the answer at an even speed that takes `READ_MS`. */
async function ask(): Promise<{ readonly socket: Socket; readonly received: Promise<number> }> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1")
  socket.on("error", () => {}).write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
  const startedAt = performance.now()
  let bytes = 0
  socket.on("data", (piece) => {
    bytes += piece.length
    const aheadMs = (bytes / BODY.length) * READ_MS - (performance.now() - startedAt)
    if (aheadMs <= 0) return
    socket.pause()
    setTimeout(() => socket.resume(), aheadMs)
  })
  return { socket, received: new Promise((resolve) => socket.once("close", () => resolve(bytes))) }
}

test("a client that reads slowly gets its whole answer, however long one write takes", async () => {
  const { received } = await ask()
  expect(await received).toBeGreaterThan(BODY.length)
})

test("a client that stops reading is disconnected", async () => {
  const closed = new Promise<void>((resolve) => {
    server.once("connection", (connection) => connection.once("close", () => resolve()))
  })
  const { socket } = await ask()
  socket.removeAllListeners("data").pause()
  await closed
  socket.destroy()
})
