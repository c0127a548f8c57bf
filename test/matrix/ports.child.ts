// Runs in a network with only 200 ports for connections. Prints the result of each round of requests as JSON.
import { createServer } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { KEY, startPipeline } from "../support/pipeline.ts"

const AT_ONCE = 300
const ADDRESSES = 4

let hold = true
const held: (() => void)[] = []
const upstream = createServer((request, response) => {
  request.resume()
  const answer = () => response.writeHead(200, { connection: "close", "content-length": "2" }).end("{}")
  if (hold) held.push(answer)
  else answer()
})
await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", 1000, resolve))
const gateway = await startPipeline({
  upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
  settings: { maxConnections: 1000, firstByteTimeoutMs: 120_000 },
})

const BODY = '{"model":"m","messages":[]}'
const HEAD = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Majordomo-Key: ${KEY}\r\nContent-Length: ${BODY.length}\r\n\r\n`

/** Clients use several addresses, because ports are counted per address. */
function ask(n: number): Promise<string> {
  return new Promise((resolve) => {
    let text = ""
    const socket = connect({ port: gateway.port, host: "127.0.0.1", localAddress: `127.0.0.${2 + (n % ADDRESSES)}` })
    socket.on("connect", () => socket.write(HEAD + BODY))
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1")
    })
    socket.on("error", (error) => {
      text += error.message
    })
    socket.on("close", () => resolve(text))
  })
}

function count(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const answer of answers) {
    const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? answer.slice(0, 60)
    counts[status] = (counts[status] ?? 0) + 1
  }
  return counts
}

const storm = Array.from({ length: AT_ONCE }, (_, n) => ask(n))
let refused = ""
for (const each of storm) {
  void each.then((text) => {
    if (text.startsWith("HTTP/1.1 502")) refused = text
  })
}
while (refused === "" || held.length + gateway.records.length < AT_ONCE) await new Promise((r) => setTimeout(r, 10))
hold = false
for (const answer of held) answer()
const during = count(await Promise.all(storm))

// The ports are free again as soon as the kernel has closed their connections.
for (let answered = 0; answered < 50; ) {
  answered = count(await Promise.all(Array.from({ length: 50 }, (_, n) => ask(n))))["200"] ?? 0
}
console.log(JSON.stringify({ during, refused, open: gateway.gateway.openRequests() }))
process.exit(0)
