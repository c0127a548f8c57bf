// The load generator for WebSockets, a separate process. It takes one job at a time by IPC and sends back its counts.
import { connect } from "node:net"
import { ASK, toTurn } from "./_frames.mjs"

/**
 * @typedef {object} SocketJob
 * @property {number} port
 * @property {Record<string, string>} headers
 * @property {number} sockets
 * @property {number} pieces of text in each turn
 * @property {number} together the messages that are sent in one write
 * @property {number} delayMs the time between two writes
 * @property {number} durationMs one turn follows the other for so long; 0: one turn, and the sockets stay open until `close`
 */

/** @typedef {{ turns: number, messages: number, failed: number }} SocketCounts */

/** @type {import("node:net").Socket[]} */
const open = []
process.on("message", async (job) => {
  if (job === "close") for (const socket of open.splice(0)) socket.end()
  process.send?.(job === "close" ? {} : await run(/** @type {SocketJob} */ (job)))
})
process.once("disconnect", () => process.exit(0))

/** @param {SocketJob} job @returns {Promise<SocketCounts>} */
async function run(job) {
  const turnBytes = toTurn(job.pieces).reduce((sum, { length }) => sum + length, 0)
  const counts = { turns: 0, messages: 0, failed: 0 }
  const deadline = performance.now() + job.durationMs
  const lane = async () => {
    const session = await openSession(job)
    if (session === undefined) return void counts.failed++
    do {
      if (!(await session.turn(turnBytes))) return void counts.failed++
      counts.turns++
      counts.messages += job.pieces + 3
    } while (performance.now() < deadline)
    if (job.durationMs > 0) session.socket.end()
    else open.push(session.socket)
  }
  // A few handshakes at a time, as clients do not all come at once.
  const waiting = Array.from({ length: job.sockets }, () => lane)
  if (job.durationMs > 0) await Promise.all(waiting.map((start) => start()))
  else while (waiting.length > 0) await Promise.all(waiting.splice(0, 16).map((start) => start()))
  return counts
}

/** @param {SocketJob} job */
async function openSession({ port, headers, pieces, together, delayMs }) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true })
  let received = 0
  let head = ""
  let isOpen = false
  let isClosed = false
  let wake = () => {}
  socket.on("data", (bytes) => {
    if (isOpen) received += bytes.length
    else {
      head += bytes.toString("latin1")
      const end = head.indexOf("\r\n\r\n")
      isOpen = end !== -1
      if (isOpen) received = head.length - end - 4
    }
    wake()
  })
  socket.on("error", () => {})
  socket.on("close", () => {
    isClosed = true
    wake()
  })
  const lines = Object.entries({
    ...headers,
    host: "127.0.0.1",
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-version": "13",
    "x-bench": JSON.stringify({ pieces, together, delayMs }),
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`GET /v1/responses HTTP/1.1\r\n${lines.join("")}\r\n`)
  const until = async (/** @type {() => boolean} */ isDone) => {
    while (!isDone() && !isClosed) {
      await new Promise((resolve) => {
        wake = () => resolve(undefined)
      })
    }
    return isDone()
  }
  if (!(await until(() => isOpen)) || !head.startsWith("HTTP/1.1 101")) return undefined
  return {
    socket,
    turn(/** @type {number} */ bytes) {
      received -= bytes
      socket.write(ASK)
      return until(() => received >= 0)
    },
  }
}
