// The load generator, a separate process. It takes one job at a time by IPC and sends back its counts.
import { connect } from "node:net"
import { createHttpReader } from "./_http-reader.mjs"

/**
 * @typedef {object} Job
 * @property {number} port
 * @property {string} path
 * @property {Record<string, string>} headers
 * @property {string} body
 * @property {number} connections the number of connections, each with one request at a time
 * @property {number} durationMs
 * @property {boolean} [once] one request per connection, all at once; ends with the last response
 * @property {number} [perSecond] requests to start per second, independent of the responses; absent: as fast as they are answered
 */

/**
 * @typedef {object} Counts
 * @property {number} requests completely answered
 * @property {number} failed broken connections, and statuses other than 200
 * @property {Record<string, number>} statuses
 * @property {number} pieces chunks of chunked responses
 * @property {number} bytes of the bodies
 * @property {number} elapsedMs
 * @property {number} p50Ms @property {number} p99Ms
 */

process.on("message", async (job) => process.send?.(await run(/** @type {Job} */ (job))))
process.once("disconnect", () => process.exit(0))

/** @param {Job} job @returns {Promise<Counts>} */
async function run(job) {
  const request = toRequest(job)
  const counts = { requests: 0, failed: 0, statuses: /** @type {Record<string, number>} */ ({}), pieces: 0, bytes: 0 }
  /** @type {number[]} */
  const latencies = []
  /** The due times of requests that wait for a free connection. @type {number[]} */
  const due = []
  /** @type {((dueAt: number) => void)[]} */
  const free = []
  let stopped = false
  const startedAt = performance.now()

  const lanes = Array.from({ length: job.connections }, () => lane())
  const ticking = job.perSecond === undefined ? undefined : tick(job.perSecond)
  setTimeout(() => {
    stopped = true
    clearInterval(ticking)
    for (const wake of free.splice(0)) wake(-1)
  }, job.durationMs)
  await Promise.all(lanes)

  const elapsedMs = performance.now() - startedAt
  latencies.sort((a, b) => a - b)
  const at = (/** @type {number} */ share) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
  return { ...counts, elapsedMs, p50Ms: at(0.5), p99Ms: at(0.99) }

  /** Starts due requests. Their latency counts from the due time, and not from when a connection was free. */
  function tick(/** @type {number} */ perSecond) {
    let started = 0
    return setInterval(() => {
      const now = performance.now()
      const wanted = Math.floor(((now - startedAt) * perSecond) / 1000)
      for (; started < wanted; started++) {
        const dueAt = startedAt + (started * 1000) / perSecond
        const wake = free.pop()
        if (wake === undefined) due.push(dueAt)
        else wake(dueAt)
      }
    }, 1)
  }

  /** @returns {Promise<number>} the due time of the next request, or -1 if there are no more */
  function nextDue() {
    if (stopped) return Promise.resolve(-1)
    if (job.perSecond === undefined) return Promise.resolve(performance.now())
    const dueAt = due.shift()
    return dueAt === undefined ? new Promise((resolve) => free.push(resolve)) : Promise.resolve(dueAt)
  }

  /** Sends one request after another, and reconnects if necessary, until the time is over. */
  async function lane() {
    do await connection()
    while (!stopped && !job.once)
  }

  function connection() {
    return new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      let dueAt = -1
      let asked = false
      const socket = connect({ port: job.port, host: "127.0.0.1", noDelay: true })
      const reader = createHttpReader(({ status, bytes, chunks }) => {
        counts.requests++
        counts.statuses[status] = (counts.statuses[status] ?? 0) + 1
        if (status !== 200) counts.failed++
        counts.bytes += bytes
        counts.pieces += chunks
        latencies.push(performance.now() - dueAt)
        dueAt = -1
        void send()
      })
      const send = async () => {
        const next = job.once && asked ? -1 : await nextDue()
        if (next === -1) return socket.end()
        asked = true
        dueAt = next
        socket.write(request)
      }
      socket.on("connect", send)
      socket.on("data", (data) => reader.push(data))
      socket.on("error", () => {})
      socket.on("close", () => {
        if (dueAt !== -1) counts.failed++
        resolve()
      })
    })
  }
}

/** @param {Job} job */
function toRequest({ port, path, headers, body }) {
  const lines = Object.entries({ ...headers, "content-length": Buffer.byteLength(body) }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${lines.join("\r\n")}\r\n\r\n${body}`
}
