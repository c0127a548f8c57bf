import { createServer } from "node:http"
import { connect } from "node:net"
import { expect, test } from "vitest"
import { watchDials } from "../support/dials.ts"
import { KEY, startPipeline } from "../support/pipeline.ts"
import { HANG_MS } from "../support/until.ts"
import { fuzz, mutate, TIMEOUT_MS } from "./_fuzz.ts"

const BODY = '{"model":"m","messages":[]}'
const key = `X-Majordomo-Key: ${KEY}\r\n`
const SEEDS = [
  `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n${key}Content-Length: ${BODY.length}\r\n\r\n${BODY}`,
  `POST /v1/messages HTTP/1.1\r\nHost: a\r\n${key}Transfer-Encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
  `GET /v1/models?x=1 HTTP/1.1\r\nHost: a\r\n${key}\r\nGET /v1/models HTTP/1.1\r\nHost: a\r\n${key}Connection: close\r\n\r\n`,
  `POST /v1beta/models/g:generateContent?key=k HTTP/1.1\r\nHost: a\r\n${key}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
  `POST /v1/responses HTTP/1.0\r\n${key}Content-Length: 2\r\n\r\n{}`,
  `OPTIONS * HTTP/1.1\r\nHost: a\r\n${key}\r\n`,
  `CONNECT evil.example:443 HTTP/1.1\r\nHost: a\r\n${key}\r\n`,
  `GET http://evil.example/v1/models HTTP/1.1\r\nHost: a\r\n${key}\r\n`,
]
const WORDS = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  "\v",
  ":",
  ";",
  ",",
  "0\r\n\r\n",
  "//",
  "/../",
  "%2e%2e",
  "%00",
  "#",
  "?",
  "@",
  "\\",
  "\x80\xff",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "Content-Length: -1\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "Transfer-Encoding : chunked\r\n",
  "Connection: close\r\n",
  "Connection: x-a\r\n",
  "Upgrade: websocket\r\nConnection: upgrade\r\n",
  "Host: evil.example\r\n",
  "Expect: 100-continue\r\n",
  "TE: trailers\r\n",
  "X-Majordomo-Provider: gemini\r\n",
  "X-Majordomo-Provider: http://evil.example\r\n",
  "X-Majordomo-__proto__: x\r\n",
  key,
  "http://evil.example",
  "HTTP/1.1",
  "HTTP/0.9",
  "HTTP/2.0",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "POST ",
  "TRACE ",
  "ffffffffffffffff",
  "1;a=b\r\n",
]

test(
  "[FUZ-01] [URL-06] mutated requests: every forwarded request has a row, is well-formed and goes to its provider, and the gateway keeps serving",
  async () => {
    let reached = 0
    const malformed: unknown[] = []
    const upstream = createServer((request, response) => {
      reached++
      request.resume().on("end", () => response.end("{}"))
    })
    upstream.on("clientError", (error, socket) => {
      // If a client disconnects, the gateway aborts what it was sending. Any other framing error means that it let one through.
      if (!["ECONNRESET", "HPE_INVALID_EOF_STATE"].includes((error as NodeJS.ErrnoException).code ?? ""))
        malformed.push(error)
      socket.destroy()
    })
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
    const { port } = upstream.address() as { port: number }
    const dials = watchDials()
    const gateway = await startPipeline({ upstream: `http://127.0.0.1:${port}`, settings: { maxBodyBytes: 100_000 } })

    await fuzz(
      "requests",
      async (random) => {
        const text = mutate(random, random.one(SEEDS), WORDS)
        const bytes = Buffer.from(text, "latin1")
        const cut = random.below(3) === 0 ? random.below(bytes.length + 1) : bytes.length
        await new Promise<void>((resolve, reject) => {
          const hung = setTimeout(() => reject(new Error(`hangs: ${JSON.stringify(text)}`)), HANG_MS)
          const socket = connect(gateway.port, "127.0.0.1")
          socket.on("error", () => {})
          socket.on("close", () => {
            clearTimeout(hung)
            resolve()
          })
          socket.resume()
          socket.write(bytes.subarray(0, cut))
          if (random.below(20) === 0) socket.resetAndDestroy()
          else socket.end(bytes.subarray(cut))
        })
      },
      { lanes: 32 },
    )

    await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
    await expect.poll(() => gateway.gateway.unrecordedRequests()).toBe(0)
    expect(malformed).toEqual([])
    const foreign = dials.dialled.filter((host) => !host.endsWith(`:${gateway.port}`))
    expect([...new Set(foreign)]).toEqual([`127.0.0.1:${port}`])
    // Every request that reached the provider has a row. A client that disconnected in between can have a row without it.
    expect(gateway.records.length).toBeGreaterThanOrEqual(reached)
    expect(reached).toBeGreaterThan(0)
    const answered = gateway.records.filter(({ first_byte_ms }) => first_byte_ms !== undefined).length
    expect(reached).toBeGreaterThanOrEqual(answered)
    expect(new Set(gateway.records.map(({ id }) => id)).size).toBe(gateway.records.length)
    dials.stop()
    await gateway.close()
    upstream.closeAllConnections()
    await new Promise((resolve) => upstream.close(resolve))
  },
  TIMEOUT_MS,
)
