import { writeFileSync } from "node:fs"
import { createServer, request } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { lastNumbers } from "../chaos/_books.ts"
import { askOnce } from "../chaos/_load.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

/** Each command on the embedded database starts its engine, which takes long on a busy machine. */
const LIMIT_MS = 300_000
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

interface Row {
  readonly raw_metadata: { readonly Tag: string }
}

/** Returns all rows by their tags. */
async function readRows(home: Installation): Promise<Readonly<Record<string, Row>>> {
  const rows = (await home.runJson(["usage", "requests"])) as Row[]
  return Object.fromEntries(rows.map((row) => [row.raw_metadata.Tag, row]))
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
      const rows = await readRows(home)
      expect(rows["stream"]).toMatchObject({
        outcome: "shutdown",
        error_message: ABORTED,
        status_code: 200,
        usage_source: "estimated",
        cost_status: "estimated",
        output_tokens: expect.toSatisfy((tokens: number) => tokens > 0),
      })
      expect(rows["upload"]).toMatchObject({
        outcome: "shutdown",
        error_message: ABORTED,
        status_code: 499,
      })
      expect(await home.runJson(["usage"])).toMatchObject({ total: { requests: 2, errors: 2 } })
      expect(await home.runJson(["verify"])).toMatchObject({ balanced: true, written: 2, dropped: 0 })
    },
  )
})

const SHORT_WORK = 'require("node:crypto").pbkdf2("a", "b", 1500000, 64, "sha512", () => console.error("idle"))'

it("a compressed answer that is still being decoded when the gateway stops keeps its usage", {
  timeout: LIMIT_MS,
}, async () => {
  const usage = { prompt_tokens: 11, completion_tokens: 22, total_tokens: 33 }
  const event = (value: object) => `data: ${JSON.stringify({ model: "gpt-4o-mini", ...value })}\n\n`
  const text = event({ choices: [{ delta: { content: "hello" } }] }) + event({ choices: [], usage })
  const upstream = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" })
    response.write(gzipSync(text))
  })
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  const home = install({
    DATABASE_URL: (await createTestDatabase()).url,
    MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "60s",
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
  })
  // On a signal, the thread pool, which also decodes, has other work for about a second.
  const busy = join(home.home, "busy.cjs")
  writeFileSync(busy, `process.on("SIGUSR2", () => { console.error("busy"); ${SHORT_WORK} })`)
  const { key } = (await home.runJson(["keys", "create", "--name", "test"])) as { key: string }
  const gateway = await home.serve({ settings: { NODE_OPTIONS: `--require ${busy}`, UV_THREADPOOL_SIZE: "1" } })
  try {
    process.kill(gateway.pid, "SIGUSR2")
    await expect.poll(() => gateway.stderr).toContain("busy")
    const headers = { "x-majordomo-key": key, "x-majordomo-tag": "gzip", "content-type": "application/json" }
    const asking = request({ port: gateway.port, path: "/v1/chat/completions", method: "POST", headers })
    asking.on("error", () => {}).end('{"model":"gpt-4o-mini","stream":true,"messages":[]}')
    await new Promise<void>((resolve) => asking.once("response", (answer) => answer.once("data", () => resolve())))
    expect(gateway.stderr).not.toContain("idle")
    asking.destroy()
    const { stderr } = await gateway.stop()
    expect(lastNumbers(stderr)).toMatchObject({ accepted: 1, written: 1, dropped: 0 })
    expect((await readRows(home))["gzip"]).toMatchObject({
      outcome: "client_left",
      input_tokens: 11,
      output_tokens: 22,
    })
  } finally {
    upstream.closeAllConnections()
    upstream.close()
  }
})
