// A provider that answers each message on a WebSocket with one turn. The header `x-bench` of the handshake says how.
import { createServer } from "node:http"
import { ASK, toAccept, toTurn } from "./_frames.mjs"

const server = createServer((_request, response) => response.writeHead(404).end())
server.on("upgrade", (request, socket) => {
  const { pieces, pieceDelayMs } = JSON.parse(String(request.headers["x-bench"]))
  const turn = toTurn(pieces)
  const accept = toAccept(String(request.headers["sec-websocket-key"]))
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  )
  let received = 0
  socket.on("data", (bytes) => {
    received += bytes.length
    for (; received >= ASK.length; received -= ASK.length) {
      if (pieceDelayMs === 0) socket.write(Buffer.concat(turn))
      else sendSingly(socket, turn, pieceDelayMs)
    }
  })
  socket.on("end", () => socket.end())
  socket.on("error", () => socket.destroy())
})

/** @param {import("node:stream").Duplex} socket @param {readonly Buffer[]} turn @param {number} delayMs */
function sendSingly(socket, turn, delayMs) {
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
