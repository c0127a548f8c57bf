// The minimum that any gateway on this stack costs: node:http on the client side, undici's dispatcher on the provider side.
// It copies headers except hop-by-hop ones and streams bodies both ways with backpressure. No keys, no metering, no rows.
import { createServer } from "node:http"
import { Pool } from "undici"

const HOP_BY_HOP = new Set([
  "connection",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
])

const origin = /** @type {string} */ (process.argv[2])
const pool = new Pool(origin, { connections: 256, pipelining: 1 })

const server = createServer((request, response) => {
  const hasBody = request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined
  /** @type {(() => void) | undefined} */
  let abort
  response.on("close", () => {
    if (!response.writableFinished) abort?.()
  })
  pool.dispatch(
    {
      origin,
      path: request.url ?? "/",
      method: /** @type {import("undici").Dispatcher.HttpMethod} */ (request.method),
      headers: withoutHopByHop(request.rawHeaders),
      body: hasBody ? request : null,
    },
    {
      onConnect(cancel) {
        abort = cancel
      },
      onHeaders(status, rawHeaders, resume) {
        const text = (rawHeaders ?? []).map((part) => part.toString("latin1"))
        response.writeHead(status, withoutHopByHop(text))
        response.on("drain", resume)
        return true
      },
      onData: (bytes) => response.write(bytes),
      onComplete: () => void response.end(),
      onError: () => void response.destroy(),
    },
  )
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.send?.({ port: typeof address === "object" ? address?.port : undefined })
})
process.once("disconnect", () => process.exit(0))

/** @param {readonly string[]} raw */
function withoutHopByHop(raw) {
  const kept = []
  for (let at = 0; at < raw.length; at += 2) {
    const name = /** @type {string} */ (raw[at])
    if (!HOP_BY_HOP.has(name.toLowerCase())) kept.push(name, /** @type {string} */ (raw[at + 1]))
  }
  return kept
}
