import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation } from "../support/gateway.ts"
import { startPipeline } from "../support/pipeline.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { connectRaw, type RawClient } from "../support/raw.ts"
import { exchange, nextRecords, request, statusOf } from "./_raw.ts"

test("[LOG-01] a request with a known caller has exactly one row, whatever its outcome", async () => {
  const fakeProvider = await startFakeProvider()
  const gateway = await startPipeline({
    upstream: fakeProvider.origin,
    settings: { firstByteTimeoutMs: 400, idleTimeoutMs: 400, maxBodyBytes: 500, maxConnections: 256 },
  })
  const script = (value: object) =>
    request(`x-fake-provider: ${JSON.stringify(value)}\r\n`, { body: '{"model":"m","stream":true,"messages":[]}' })
  const whole = (text: string) => exchange(gateway.port, text)
  const left = async (text: string) => {
    const client = await connectRaw(gateway.port)
    client.send(text)
    // On a busy machine, this may be the answer of the gateway that the provider was too slow.
    await client.until(/\r\n\r\n/)
    client.close()
  }
  const fates: (() => Promise<unknown>)[] = [
    () => whole(script({})),
    () => whole(script({ status: 302, body: "" })),
    () => whole(script({ status: 429, body: "{}" })),
    () => whole(script({ status: 500, body: "x" })),
    () => whole(script({ never: true })),
    () => whole(script({ breakAfterPieces: 0 })),
    () => whole(script({ breakAfterPieces: 1 })),
    () => whole(script({ hangAfterPieces: 1 })),
    () => left(script({ hangAfterPieces: 2, pieces: 5 })),
    () => whole(request("", { body: "x".repeat(501) })),
  ]
  const rounds = 20
  await Promise.all(Array.from({ length: rounds }, () => Promise.all(fates.map((fate) => fate()))))
  const rows = await nextRecords(gateway, rounds * fates.length)
  expect(new Set(rows.map(({ id }) => id)).size).toBe(rounds * fates.length)
  await expect.poll(() => gateway.gateway.openRequests()).toBe(0)
  expect(gateway.records.length).toBe(rounds * fates.length)
  await gateway.close()
  await fakeProvider.close()
})

const settings = (fakeProvider: FakeProvider) => ({
  MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
  MAJORDOMO_PRICING_REMOTE_URL: "",
})

test("[SHU-05] a second signal ends the gateway immediately, and the next one recovers every row", async () => {
  const fakeProvider = await startFakeProvider()
  const home = createInstallation(settings(fakeProvider))
  const gateway = await home.serve()
  await expect.poll(() => gateway.stdout).toMatch(/mdm_sk_[\w-]{16,}\s/)
  const key = /mdm_sk_[\w-]+/.exec(gateway.stdout)![0]
  const ask = (stream: boolean) =>
    request("", { body: JSON.stringify({ model: "gpt-4o-mini", stream, messages: [] }) }).replace(
      /X-Majordomo-Key: \S+/,
      `X-Majordomo-Key: ${key}`,
    )
  for (let i = 0; i < 20; i++) expect(statusOf(await exchange(gateway.port, ask(false)))).toBe(200)
  fakeProvider.always({ pieces: 5, hangAfterPieces: 2 })
  const client = await connectRaw(gateway.port)
  client.send(ask(true))
  await client.until(/data: /)
  process.kill(gateway.pid, "SIGTERM")
  await expect.poll(() => gateway.stderr + gateway.stdout).toContain("SIGTERM")
  // Within half a second, it would be the first signal again. Without the second one, the gateway would wait for the stream.
  const repeat = setInterval(() => void gateway.stop("SIGTERM"), 200)
  const { code, stderr } = await gateway.ended.finally(() => clearInterval(repeat))
  expect(code).toBe(1)
  expect(stderr).toContain("Stopped at once.")
  client.close()
  const next = await home.serve()
  await expect
    .poll(async () => ((await home.runJson(["usage", "requests", "--limit", "100"])) as unknown[]).length)
    .toBe(21)
  await next.stop()
  await home.remove()
  await fakeProvider.close()
})

test.skipIf(process.platform === "win32")(
  "[CON-08] without free file descriptors, new connections wait or are rejected, running ones continue, and the gateway recovers",
  async () => {
    const fakeProvider = await startFakeProvider()
    const { url } = await createTestDatabase()
    const home = mkdtempSync(join(tmpdir(), "mdm-files-"))
    const bin = fileURLToPath(new URL("../../bin/majordomo.mjs", import.meta.url))
    const child = spawn("sh", ["-c", 'ulimit -n 200; exec "$0" "$@"', process.execPath, bin, "serve", "--port", "0"], {
      cwd: home,
      // The embedded database would open a file for each table.
      env: { PATH: process.env["PATH"] ?? "", HOME: home, DATABASE_URL: url, ...settings(fakeProvider) },
      stdio: ["ignore", "pipe", "pipe"],
    })
    let said = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (said += bytes))
    await expect.poll(() => said).toMatch(/mdm_sk_[\w-]{16,}\s/)
    const port = Number(/Majordomo Gateway on \S*:(\d+)/.exec(said)![1])
    const key = /mdm_sk_[\w-]+/.exec(said)![0]
    const text = request("", { body: '{"model":"gpt-4o-mini","stream":true,"messages":[]}' }).replace(
      /X-Majordomo-Key: \S+/,
      `X-Majordomo-Key: ${key}`,
    )
    let letGo = () => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    fakeProvider.next({ pieces: 4, beforePiece: (index) => (index === 2 ? held : undefined) })
    const running = await connectRaw(port)
    running.send(text)
    await running.until(/data: /)
    const idle: RawClient[] = []
    for (let i = 0; i < 300; i++) idle.push(await connectRaw(port))
    letGo()
    expect(await running.closed()).toContain("[DONE]")
    for (const client of idle) client.close()
    await expect.poll(async () => statusOf(await exchange(port, text).catch(() => ""))).toBe(200)
    expect(child.exitCode).toBeNull()
    child.kill("SIGTERM")
    await once(child, "exit")
    rmSync(home, { recursive: true, force: true, maxRetries: 3 })
    await fakeProvider.close()
  },
)
