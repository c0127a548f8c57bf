import { readFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

const SOCKETS = 1000
const READ_TIMEOUT_MS = 2000
const BYTE_EVERY_MS = 200

let fakeProvider: FakeProvider
let home: Installation
let gateway: RunningGateway
let key: string
beforeAll(async () => {
  fakeProvider = await startFakeProvider({ record: false })
  const settings = {
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_SERVER_READ_TIMEOUT: `${READ_TIMEOUT_MS}ms`,
    DATABASE_URL: (await createTestDatabase()).url,
  }
  home = createInstallation(settings, { inProcess: true })
  key = ((await home.runJson(["keys", "create", "--name", "test"])) as { key: string }).key
  gateway = await home.serve({ args: ["--quiet"] })
})
afterAll(async () => {
  await gateway?.stop()
  await home.remove()
  await fakeProvider.close()
})

/** Sends one byte of `text` from time to time while the gateway allows it. Returns the status of the response. */
function drip(start: string, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ""
    let at = 0
    let timer: NodeJS.Timeout | undefined
    const socket: Socket = connect(gateway.port, "127.0.0.1", () => {
      socket.write(start)
      if (text !== "") timer = setInterval(() => socket.write(text[at++ % text.length]!), BYTE_EVERY_MS)
    })
    socket.on("data", (bytes) => {
      answer += bytes.toString("latin1")
    })
    socket.on("error", () => {})
    socket.once("close", () => {
      clearInterval(timer)
      resolve(answer.slice(9, 12))
    })
  })
}

async function ask(): Promise<void> {
  const response = await fetch(`${gateway.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { "x-majordomo-key": key, "content-type": "application/json" },
    body: '{"model":"gpt-4o-mini","messages":[]}',
  })
  expect(response.status).toBe(200)
  await response.text()
}

async function askTimes(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await ask()
}

const memoryKb = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.pid}/status`, "utf8"))?.[1])

test.skipIf(process.platform !== "linux")(
  "[TMO-04] 1,000 requests with slow headers and 1,000 whose bodies stop time out after server.read_timeout; others are served meanwhile, and memory does not grow",
  async () => {
    await askTimes(300)
    const before = memoryKb()
    const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n`
    const heads = Array.from({ length: SOCKETS }, () => drip(head, "X-Slow: 1\r\n"))
    const bodies = Array.from({ length: SOCKETS }, () =>
      drip(`${head}X-Majordomo-Key: ${key}\r\nContent-Length: 5000\r\n\r\n{`, ""),
    )
    await askTimes(100)
    const during = memoryKb()
    // A client that sends a byte into the closing connection can lose its response to the reset, as can one whose
    // connection was not accepted in time.
    for (const clients of [heads, bodies]) {
      const statuses = new Set(await Promise.all(clients))
      expect(statuses).toContain("408")
      expect([...statuses].filter((status) => status !== "408" && status !== "")).toEqual([])
    }
    await askTimes(20)
    expect(during - before).toBeLessThan(2 * SOCKETS * 40)
  },
)
