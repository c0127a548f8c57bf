import { afterAll, beforeAll, expect, it } from "vitest"
import { firstKey, lastNumbers } from "../chaos/_books.ts"
import { askOnce } from "../chaos/_load.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation } from "../support/gateway.ts"
import { startPostgres } from "../support/postgres.ts"
import { listChildren } from "../support/processes.ts"

let fakeProvider: FakeProvider
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
})
afterAll(() => fakeProvider.close())

it("[O11] a worker that dies while PostgreSQL is away waits for it, the others serve, and the log has only JSON lines", {
  timeout: 240_000,
}, async () => {
  const postgres = await startPostgres()
  const home = createInstallation({
    DATABASE_URL: postgres.url,
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_SERVER_WORKERS: "2",
    // The new worker gives up once before the database returns.
    MAJORDOMO_STORAGE_WAIT: "1s",
  })
  try {
    const gateway = await home.serve({ args: ["--log-format", "json"] })
    const key = firstKey(gateway)
    const ask = (tag: string) => askOnce({ key, port: gateway.port, tag, stream: false })
    const isReady = async () => (await fetch(`${gateway.origin}/readyz`).catch(() => undefined))?.status
    // At the same time, so that each worker gets connections, and learns the key.
    const before = Array.from({ length: 16 }, (_, i) => ask(`before-${i}`))
    expect((await Promise.all(before)).filter((why) => why !== undefined)).toEqual([])
    await postgres.stop()
    const [first = 0, second = 0] = listChildren(gateway.pid)
    process.kill(first, "SIGKILL")
    await expect.poll(() => gateway.stderr).toContain("(storage.wait)")
    for (let i = 0; i < 8; i++) expect(await ask(`during-${i}`)).toBeUndefined()
    // The first attempt has ended, and another one has begun.
    await expect.poll(() => gateway.stderr.split("(storage.wait)").length).toBeGreaterThan(2)
    await postgres.start()
    await expect.poll(isReady).toBe(200)
    const workers = listChildren(gateway.pid)
    expect(workers).toHaveLength(2)
    expect(workers).toContain(second)
    for (let i = 0; i < 8; i++) expect(await ask(`after-${i}`)).toBeUndefined()
    const { code, stderr } = await gateway.stop()
    expect(code).toBe(0)
    expect(lastNumbers(stderr)).toMatchObject({ waiting: 0, rejected: 0, dropped: 0 })
    expect(await home.runJson(["verify"])).toMatchObject({ balanced: true, lost: 0 })
    for (const line of stderr.trimEnd().split("\n")) {
      expect(JSON.parse(line)).toMatchObject({ level: expect.stringMatching(/^(?:info|warn|error)$/) })
    }
  } finally {
    await home.remove()
    await postgres.remove()
  }
})
