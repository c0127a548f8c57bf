import { expect, test } from "vitest"
import { exchange, request } from "../matrix/_raw.ts"
import { createRandom } from "../providers/_random.ts"
import { startOddUpstream } from "../support/odd-upstream.ts"
import { startPipeline } from "../support/pipeline.ts"
import { fuzz, mutate, TIMEOUT_MS } from "./_fuzz.ts"

const USAGE = '{"model":"m","choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":7,"completion_tokens":3}}'
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
const SEEDS = [
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${USAGE.length}\r\n\r\n${USAGE}`,
  `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(`data: ${USAGE}\n\n`)}${chunk("data: [DONE]\n\n")}0\r\n\r\n`,
  `HTTP/1.1 429 Too Many\r\nretry-after: 1\r\nContent-Length: 27\r\n\r\n{"error":{"message":"slow"}}`,
  `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\x1f\x8b\x08\0\0`,
  `HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\n{}`,
  "HTTP/1.1 204 No Content\r\nConnection: close, x-a\r\nX-A: 1\r\n\r\n",
  `HTTP/1.0 200 OK\r\n\r\n${USAGE}`,
  "HTTP/1.1 301 Moved\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
]
const WORDS = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  "\x7f",
  "\xe6\x97\xa5",
  "Content-Length: 5\r\n",
  "Content-Length: -1\r\n",
  "Content-Length: 1e9\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip\r\n",
  "Trailer: Expires\r\n",
  "Connection: upgrade\r\nUpgrade: x\r\n",
  "Content-Encoding: br\r\n",
  "Content-Encoding: gzip, gzip\r\n",
  "Content-Type: text/event-stream\r\n",
  "X-Majordomo-Cost: 0\r\n",
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 101 X\r\n\r\n",
  "HTTP/1.1 099 X\r\n",
  "HTTP/1.1 999 \r\n",
  "HTTP/2 200\r\n",
  "data: ",
  'data: {"usage":',
  "0\r\n\r\n",
  "ffffffff\r\n",
  '"prompt_tokens":-1',
  "1e999",
  "[[[[[[",
  "\\ud800",
]

test(
  "[FUZ-02] mutated responses: each request ends and has exactly one row, and the next request succeeds",
  async () => {
    let answer = (_request: string) => ""
    const upstream = await startOddUpstream((socket, text) => void socket.end(Buffer.from(answer(text), "latin1")))
    const gateway = await startPipeline({
      upstream: upstream.origin,
      settings: { firstByteTimeoutMs: 2000, idleTimeoutMs: 2000, maxConnections: 64 },
    })
    answer = (text) => {
      const seed = Number(/x-seed: (\d+)/i.exec(text)?.[1])
      const random = createRandom(seed)
      return mutate(random, random.one(SEEDS), WORDS)
    }
    let asked = 0
    await fuzz(
      "answers",
      async (random, seed) => {
        asked++
        const stream = random.below(2) === 0 ? '{"model":"m","stream":true,"messages":[]}' : '{"model":"m"}'
        const path = random.one(["/v1/chat/completions", "/v1/messages", "/v1beta/models/g:streamGenerateContent"])
        await exchange(gateway.port, request(`X-Seed: ${seed}\r\n`, { path, body: stream }))
      },
      { lanes: 32 },
    )
    await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
    await expect.poll(() => gateway.gateway.unrecordedRequests()).toBe(0)
    expect(gateway.records.length).toBe(asked)
    for (const { status_code, outcome } of gateway.records) {
      expect(Number.isInteger(status_code)).toBe(true)
      expect(["complete", "upstream_broke"]).toContain(outcome)
    }
    await gateway.close()
    await upstream.close()
  },
  TIMEOUT_MS,
)
