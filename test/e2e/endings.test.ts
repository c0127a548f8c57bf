import { spawn } from "node:child_process"
import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeAll, expect, it } from "vitest"
import { firstKey, lastNumbers } from "../chaos/_books.ts"
import { askOnce } from "../chaos/_load.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase, type PostgresServer, startPostgres } from "../support/postgres.ts"

const BIN = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))

let fakeProvider: FakeProvider
let url: string
const homes: Installation[] = []
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  url = (await createTestDatabase()).url
})
afterEach(async () => {
  fakeProvider.reset()
  await Promise.all(homes.splice(0).map((home) => home.remove()))
})
afterAll(() => fakeProvider.close())

function install(settings: Readonly<Record<string, string>> = {}): Installation {
  const home = createInstallation({
    DATABASE_URL: url,
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    ...settings,
  })
  homes.push(home)
  return home
}

interface Row {
  readonly raw_metadata: { readonly Tag: string } | null
  readonly outcome: string
  readonly error_message: string | null
  readonly status_code: number
}

async function rowOf(home: Installation, tag: string): Promise<Row | undefined> {
  const rows = (await home.runJson(["usage", "requests", "--where", `Tag=${tag}`])) as Row[]
  return rows[0]
}

async function newKey(home: Installation): Promise<string> {
  return ((await home.runJson(["keys", "create", "--name", "test"])) as { key: string }).key
}

/** Starts a stream that does not end soon. */
async function openStream(gateway: RunningGateway, key: string, tag: string) {
  const script = { pieces: 1000, pieceDelayMs: 50 }
  const ended = askOnce({ key, port: gateway.port, tag, stream: true, script })
  await fakeProvider.nextRequest()
  return { ended }
}

it("a second signal ends the process immediately with 1; the running request has its row at the next start", async () => {
  const home = install()
  const key = await newKey(home)
  const gateway = await home.serve()
  const { ended } = await openStream(gateway, key, "twice")
  const first = gateway.stop("SIGTERM")
  await expect.poll(() => gateway.stderr).toContain("a second signal ends the process at once")
  const repeat = setInterval(() => void gateway.stop("SIGINT"), 100) // Signals that come too soon are the same wish.
  const { code, stderr } = await first
  clearInterval(repeat)
  expect(code).toBe(1)
  expect(await ended).toBeDefined()
  expect(stderr.trimEnd().split("\n").at(-1)).toContain("Stopped at once. Rows: 0 accepted = 0 written")

  const next = await home.serve()
  await expect.poll(() => rowOf(home, "twice")).toMatchObject({ outcome: "gateway_died" })
  await next.stop()
})

it("SIGTERM while the database is down: waiting rows are reported, kept, and written at the next start", async () => {
  const server: PostgresServer = await startPostgres({ settings: { synchronous_commit: "on" } })
  try {
    const home = install({ DATABASE_URL: server.url, MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "500ms" })
    const gateway = await home.serve()
    const key = firstKey(gateway)
    expect(await askOnce({ key, port: gateway.port, tag: "known", stream: false })).toBeUndefined()
    await server.stop()
    expect(await askOnce({ key, port: gateway.port, tag: "away", stream: false })).toBeUndefined()
    const ready = await fetch(`${gateway.origin}/readyz`)
    expect(ready.status).toBe(503)
    expect(((await ready.json()) as { error: string }).error).toMatch(
      /\(postgres\) does not answer[^;]*; \d+ rows? waits?/,
    )
    const stranger = await fetch(`${gateway.origin}/v1/models`, {
      headers: { "x-majordomo-key": `mdm_sk_${"x".repeat(43)}` },
    })
    expect([stranger.status, stranger.headers.get("retry-after") !== null]).toEqual([503, true])
    const { code, stderr } = await gateway.stop()
    expect(code).toBe(0)
    expect(lastNumbers(stderr).waiting).toBeGreaterThan(0)
    expect(stderr).toContain("The waiting rows are in the journal and are written at the next start.")

    await server.start()
    const next = await home.serve()
    await expect.poll(() => rowOf(home, "away")).toMatchObject({ outcome: "complete" })
    await next.stop()
  } finally {
    await server.remove()
  }
})

it("npx does not forward signals: a gateway whose npx is killed stops by itself and loses nothing", async () => {
  const home = install({ MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "5s" })
  // Behaves like npx: a process that starts a shell that starts the gateway, and dies of a signal alone.
  const launcher = join(home.home, "launcher.mjs")
  writeFileSync(
    launcher,
    `import { spawn } from "node:child_process"
     spawn("sh", ["-c", '"$0" "$1" serve --port 0; true', process.execPath, ${JSON.stringify(BIN)}], { stdio: "inherit" })`,
  )
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: home.home,
    DATABASE_URL: url,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    npm_command: "exec",
  }
  const child = spawn(process.execPath, [launcher], { env, cwd: home.home, stdio: ["ignore", "pipe", "pipe"] })
  let said = ""
  const closed = new Promise((resolve) => child.once("close", resolve)) // when the last process with the pipes has ended
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (said += bytes))
  await expect.poll(() => said).toContain("Pricing data loaded")
  child.kill("SIGTERM")
  await closed
  expect(said).toContain("npx, which started the gateway, has ended")
  expect(said).toContain("Stopped. Rows: 0 accepted")
})

it("a full journal rejects new requests with 503 ledger_full, if it is configured to", async () => {
  const server = await startPostgres()
  try {
    const home = install({
      DATABASE_URL: server.url,
      MAJORDOMO_LEDGER_WHEN_FULL: "block",
      MAJORDOMO_LEDGER_MAX_JOURNAL_SIZE: "64KiB",
      MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "300ms",
    })
    const gateway = await home.serve()
    const key = firstKey(gateway)
    expect(await askOnce({ key, port: gateway.port, tag: "before", stream: false })).toBeUndefined()
    await server.stop()
    const refusals: string[] = []
    for (let i = 0; i < 200 && refusals.length === 0; i++) {
      const why = await askOnce({ key, port: gateway.port, tag: `fill-${i}`, stream: false })
      if (why !== undefined) refusals.push(why)
    }
    expect(refusals[0]).toMatch(/^503 .*ledger_full/)
    await server.start()
    await expect.poll(() => askOnce({ key, port: gateway.port, tag: "after", stream: false })).toBeUndefined()
    const { stderr } = await gateway.stop()
    expect(lastNumbers(stderr)).toMatchObject({ rejected: 0, dropped: 0 })
  } finally {
    await server.remove()
  }
})

it("[SEC-08] an uncaught exception ends the gateway with 1: its rows are kept, and it writes no report or dump", async () => {
  const home = install()
  const bug = join(home.home, "bug.cjs")
  writeFileSync(bug, 'process.on("SIGUSR2", () => { throw new Error("a bug") })')
  const key = await newKey(home)
  const gateway = await home.serve({ settings: { NODE_OPTIONS: `--require ${bug}` } })
  expect(await askOnce({ key, port: gateway.port, tag: "bug", stream: false })).toBeUndefined()
  const { code, stderr } = await gateway.stop("SIGUSR2")
  expect(code).toBe(1)
  expect(stderr).toContain("internal error, the gateway ends: Error: a bug")
  const dumps = readdirSync(home.home, { recursive: true, encoding: "utf8" }).filter((name) =>
    /(?:^|\/)(?:report\.|core|Heap)|\.heapsnapshot$/.test(name),
  )
  expect(dumps).toEqual([])
  const next = await home.serve()
  await expect.poll(() => rowOf(home, "bug")).toMatchObject({ outcome: "complete" })
  await next.stop()
})
