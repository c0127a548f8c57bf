import { createHash, randomBytes } from "node:crypto"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer, type IncomingMessage, request } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { setTimeout as after } from "node:timers/promises"
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"
import { metric } from "./_books.ts"
import { limit, report, times } from "./_mode.ts"

const MB = 1_000_000
const MAX_GROWTH_MB = 100
const MAX_LAG_S = limit(0.05)
const PIECE = 64 * 1024
const TICK_MS = 20
const LAG = 'majordomo_event_loop_lag_seconds{quantile="0.99"}'

/** Limits a stream to this many bytes per second. */
function createPace(perSecond: number): (bytes: number) => Promise<void> | undefined {
  let inTick = 0
  return (bytes) => {
    inTick += bytes
    if (inTick < perSecond * (TICK_MS / 1000)) return undefined
    inTick = 0
    return after(TICK_MS)
  }
}

function* piecesOf(bytes: number): Generator<Buffer> {
  const piece = Buffer.from(randomBytes(PIECE).toString("base64"))
  for (let left = bytes; left > 0; left -= piece.length) yield piece.subarray(0, left)
}

/** Reads each body at a given speed, responds with as many bytes, and reports the digests of both. */
const upstream = createServer(async (incoming, response) => {
  const read = createHash("sha1")
  const pace = createPace(Number(incoming.headers["x-per-second"] ?? Number.POSITIVE_INFINITY))
  let bytes = 0
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    read.update(piece)
    bytes += piece.length
    await pace(piece.length)
  }
  const answer = [Buffer.from('{"data":[{"b64_json":"'), ...piecesOf(bytes), Buffer.from('"}]}')]
  const written = createHash("sha1")
  for (const piece of answer) written.update(piece)
  response.writeHead(200, {
    "content-type": "application/json",
    "x-read": read.digest("hex"),
    "x-written": written.digest("hex"),
  })
  await pipeline(Readable.from(answer), response)
})

let home: Installation
let server: PostgresServer
let gateway: RunningGateway
let key: string
beforeAll(async () => {
  server = await startPostgres()
  await new Promise<void>((resolve) => void upstream.listen(0, "127.0.0.1", resolve))
  home = createInstallation({
    DATABASE_URL: server.url,
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_SERVER_MAX_BODY_SIZE: "300MB",
    MAJORDOMO_SERVER_READ_TIMEOUT: "10m",
  })
  key = ((await home.runJson(["keys", "create", "--name", "large"])) as { key: string }).key
})
// A new gateway for each test, because memory that an earlier test left behind would be reused unnoticed.
beforeEach(async () => {
  gateway = await home.serve({ args: ["--quiet"] })
  for (let i = 0; i < 20; i++) await exchange({ bytes: 10_000 })
})
afterEach(() => gateway?.stop())
afterAll(async () => {
  await home?.remove()
  await server?.remove()
  upstream.close()
})

/** Uploads this many bytes and downloads as many. Both must equal what the other side sent. */
async function exchange(given: {
  readonly bytes: number
  readonly uploadPerSecond?: number
  readonly readPerSecond?: number
}): Promise<void> {
  const { bytes, uploadPerSecond = Number.POSITIVE_INFINITY, readPerSecond } = given
  const start = '{"messages":[{"role":"user","content":"'
  const end = '"}],"model":"gpt-4o-mini"}'
  const sent = createHash("sha1")
  async function* upload() {
    const pace = createPace(uploadPerSecond)
    for (const piece of [[start], piecesOf(bytes - start.length - end.length), [end]].flatMap((part) => [...part])) {
      sent.update(piece)
      yield piece
      await pace(piece.length)
    }
  }
  const call = request({
    port: gateway.port,
    method: "POST",
    path: "/v1/chat/completions",
    agent: false,
    headers: {
      "X-Majordomo-Key": key,
      "Content-Type": "application/json",
      "Content-Length": bytes,
      ...(readPerSecond === undefined ? {} : { "X-Per-Second": readPerSecond }),
    },
  })
  const answered = once(call, "response") as Promise<[IncomingMessage]>
  await pipeline(Readable.from(upload()), call)
  const [response] = await answered
  const got = createHash("sha1")
  for await (const piece of response as AsyncIterable<Buffer>) got.update(piece)
  expect(response.statusCode).toBe(200)
  expect(response.headers["x-read"]).toBe(sent.digest("hex"))
  expect(response.headers["x-written"]).toBe(got.digest("hex"))
}

const residentMb = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, "utf8"))?.[1]) / 1000

/** Runs many at once. Returns how much additional memory the gateway used at most, and how late its timers were. */
async function watch(count: number, one: () => Promise<void>): Promise<{ grownMb: number; lagS: number }> {
  await metric(gateway, LAG)
  const before = residentMb()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, residentMb())
  }, 20)
  try {
    await Promise.all(Array.from({ length: count }, one))
  } finally {
    clearInterval(timer)
  }
  return { grownMb: Math.round(most - before), lagS: await metric(gateway, LAG) }
}

test.skipIf(process.platform !== "linux")(
  "[LOD-07] 50 concurrent bodies of 20 MB in both directions arrive unchanged and take at most 100 MB of memory",
  async () => {
    const count = times(10, 50)
    const { grownMb, lagS } = await watch(count, () => exchange({ bytes: 20 * MB }))
    report("LOD-07", { bodies: count, "memory MB": grownMb, "lag s": lagS })
    expect(grownMb).toBeLessThan(MAX_GROWTH_MB)
    expect(lagS).toBeLessThan(MAX_LAG_S)
  },
  times(240_000, 300_000),
)

test.skipIf(process.platform !== "linux").each([
  ["clients that send slowly", { uploadPerSecond: times(20, 5) * MB }],
  ["a provider that reads slowly", { readPerSecond: times(20, 5) * MB }],
])(
  "[ABT-07] ten uploads of 200 MB with %s take no more memory than small ones",
  async (_, pace) => {
    const bytes = times(12, 200) * MB
    const { grownMb } = await watch(10, () => exchange({ bytes, ...pace }))
    report("ABT-07", { bytes, "memory MB": grownMb })
    expect(grownMb).toBeLessThan(MAX_GROWTH_MB)
  },
  times(240_000, 600_000),
)
