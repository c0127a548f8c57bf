// A provider that answers each message on a WebSocket with one turn. The header `x-bench` of the handshake says how.
import { createServer } from "node:http"
import { ASK, toAccept, toTurn } from "./_frames.mjs"

const server = createServer((_request, response) => response.writeHead(404).end())
server.on("upgrade", (request, socket) => {
  const { pieces, together, delayMs } = JSON.parse(String(request.headers["x-bench"]))
  const turn = toGroups(toTurn(pieces), together)
  const accept = toAccept(String(request.headers["sec-websocket-key"]))
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  let received = 0
  socket.on("data", (bytes) => {
    received += bytes.length
    for (; received >= ASK.length; received -= ASK.length) {
      send(socket, turn, delayMs)
    }
  })
  socket.on("end", () => socket.end())
  socket.on("error", () => socket.destroy())
})

/** Joins the messages that are sent together. @param {readonly Buffer[]} messages @param {number} together */
function toGroups(messages, together) {
  const count = Math.ceil(messages.length / together)
  return Array.from({ length: count }, (_, at) => Buffer.concat(messages.slice(at * together, (at + 1) * together)))
}

/** @param {import("node:stream").Duplex} socket @param {readonly Buffer[]} turn @param {number} delayMs */
function send(socket, turn, delayMs) {
  let at = 0
  const stop = () => clearInterval(timer)
  const timer = setInterval(() => {
    socket.write(/** @type {Buffer} */ (turn[at++]))
    if (at < turn.length) return
    stop()
    socket.off("close", stop)
  }, delayMs)
  socket.once("close", stop)
}

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.send?.({ port: typeof address === "object" ? address?.port : undefined })
})
process.once("disconnect", () => process.exit(0))
