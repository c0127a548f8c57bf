import { connect } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { lastNumbers } from "../chaos/_books.ts"
import { askOnce } from "../chaos/_load.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

const LIMIT_MS = 90_000
const ABORTED = "the gateway stopped before the answer was complete: server.shutdown_timeout was exceeded"

let fakeProvider: FakeProvider
const homes: Installation[] = []
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
})
afterEach(async () => {
  fakeProvider.reset()
  await Promise.all(homes.splice(0).map((home) => home.remove()))
})
afterAll(() => fakeProvider.close())

function install(settings: Readonly<Record<string, string>>): Installation {
  const home = createInstallation({
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "500ms",
    ...settings,
  })
  homes.push(home)
  return home
}

async function rowOf(home: Installation, tag: string): Promise<unknown> {
  const rows = (await home.runJson(["usage", "requests", "--where", `Tag=${tag}`])) as unknown[]
  expect(rows).toHaveLength(1)
  return rows[0]
}

/** Starts a request whose body never arrives completely. Resolves when the gateway has its key and waits for the rest. */
async function startUpload(gateway: RunningGateway, key: string, tag: string): Promise<{ closed: Promise<void> }> {
  const socket = connect(gateway.port, "127.0.0.1")
  socket.on("error", () => {})
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()))
  const head = ["POST /v1/chat/completions HTTP/1.1", "Host: x", `X-Majordomo-Key: ${key}`, `X-Majordomo-Tag: ${tag}`]
  socket.write(`${head.join("\r\n")}\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n`)
  const said = await new Promise<Buffer>((resolve) => socket.once("data", resolve))
  expect(said.toString()).toContain("100 Continue")
  socket.write('{"model":')
  return { closed }
}

describe.each(["PostgreSQL", "the embedded database"])("on %s", (engine) => {
  it.each(["1", "2"])(
    "requests that outlast the shutdown timeout have the outcome `shutdown`, with %s workers",
    {
      timeout: LIMIT_MS,
    },
    async (workers) => {
      const database: Record<string, string> = {}
      if (engine === "PostgreSQL") database["DATABASE_URL"] = (await createTestDatabase()).url
      const home = install({ ...database, MAJORDOMO_SERVER_WORKERS: workers })
      const { key } = (await home.runJson(["keys", "create", "--name", "test"])) as { key: string }
      const gateway = await home.serve()
      const script = { pieces: 4000, pieceDelayMs: 20 }
      const stream = askOnce({ key, port: gateway.port, tag: "stream", stream: true, script })
      await fakeProvider.nextRequest()
      const upload = await startUpload(gateway, key, "upload")
      const { code, stderr } = await gateway.stop()

      expect(code).toBe(0)
      expect(await stream).toBeDefined()
      await upload.closed
      expect(lastNumbers(stderr)).toEqual({ accepted: 2, written: 2, waiting: 0, rejected: 0, dropped: 0 })
      expect(await rowOf(home, "stream")).toMatchObject({
        outcome: "shutdown",
        error_message: ABORTED,
        status_code: 200,
        usage_source: "estimated",
        cost_status: "estimated",
        output_tokens: expect.toSatisfy((tokens: number) => tokens > 0),
      })
      expect(await rowOf(home, "upload")).toMatchObject({
        outcome: "shutdown",
        error_message: ABORTED,
        status_code: 499,
      })
      expect(await home.runJson(["usage"])).toMatchObject({ total: { requests: 2, errors: 2 } })
      expect(await home.runJson(["verify"])).toMatchObject({ balanced: true, written: 2, dropped: 0 })
    },
  )
})
