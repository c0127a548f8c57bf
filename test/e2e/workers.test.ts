import { afterAll, beforeAll, expect, it } from "vitest"
import { firstKey, lastNumbers, metric } from "../chaos/_books.ts"
import { askOnce } from "../chaos/_load.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

const LIMIT_MS = 90_000

let fakeProvider: FakeProvider
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
})
afterAll(() => fakeProvider.close())

async function withWorkers(settings: Readonly<Record<string, string>>, work: (home: Installation) => Promise<void>) {
  const home = createInstallation({
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_SERVER_WORKERS: "2",
    ...settings,
  })
  try {
    await work(home)
  } finally {
    await home.remove()
  }
}

it("workers share one port, add up their rows and metrics, and end together", { timeout: LIMIT_MS }, async () => {
  await withWorkers({ DATABASE_URL: (await createTestDatabase()).url }, async (home) => {
    const gateway = await home.serve()
    const key = firstKey(gateway)
    const asked = Array.from({ length: 20 }, (_, i) =>
      askOnce({ key, port: gateway.port, tag: `w-${i}`, stream: i % 2 === 0 }),
    )
    expect((await Promise.all(asked)).filter((why) => why !== undefined)).toEqual([])
    await expect.poll(() => metric(gateway, "majordomo_rows_written_total"), { timeout: 10_000 }).toBe(20)
    const { code, stderr } = await gateway.stop()
    expect(code).toBe(0)
    expect(lastNumbers(stderr)).toEqual({ accepted: 20, written: 20, waiting: 0, rejected: 0, dropped: 0 })
    expect(await home.runJson(["verify"])).toMatchObject({ balanced: true, written: 20 })
  })
})

it("every worker rejects a revoked key", { timeout: LIMIT_MS }, async () => {
  await withWorkers({ DATABASE_URL: (await createTestDatabase()).url }, async (home) => {
    const { id, key } = (await home.runJson(["keys", "create", "--name", "brief"])) as { id: string; key: string }
    const gateway = await home.serve()
    const askAll = () =>
      Promise.all(
        Array.from({ length: 8 }, (_, i) => askOnce({ key, port: gateway.port, tag: `r-${i}`, stream: false })),
      )
    expect((await askAll()).filter((why) => why !== undefined)).toEqual([])
    expect((await home.run(["keys", "revoke", id])).code).toBe(0)
    for (const why of await askAll()) expect(why).toMatch(/^401 /)
    await gateway.stop()
  })
})

it("a killed worker is replaced, its requests have their rows, and the others continue", {
  timeout: LIMIT_MS,
}, async () => {
  await withWorkers({}, async (home) => {
    const gateway = await home.serve() // on the embedded database, which the primary process owns
    const key = firstKey(gateway)
    const running = askOnce({
      key,
      port: gateway.port,
      tag: "killed",
      stream: true,
      script: { pieces: 2000, pieceDelayMs: 50 },
    })
    await fakeProvider.nextRequest()
    const { pid } = (await findWorkers(gateway.pid)).at(-1)!
    const other = (await findWorkers(gateway.pid)).at(0)!
    process.kill(pid, "SIGKILL")
    process.kill(other.pid, 0)
    await expect
      .poll(
        async () =>
          (await findWorkers(gateway.pid)).filter((each) => each.pid !== other.pid && each.pid !== pid).length,
        { timeout: 20_000 },
      )
      .toBe(1)
    expect(gateway.stderr).toContain("starting another one")
    for (let i = 0; i < 8; i++)
      expect(await askOnce({ key, port: gateway.port, tag: `on-${i}`, stream: false })).toBeUndefined()
    process.kill(other.pid, "SIGKILL") // one of the two had the stream, which breaks off now
    expect(await running).toBeDefined()
    const outcome = async () => {
      const rows = (await home.runJson(["usage", "requests", "--where", "Tag=killed"])) as { outcome: string }[]
      return rows.map((row) => row.outcome)
    }
    await expect.poll(outcome, { timeout: 20_000 }).toEqual(["gateway_died"])
    expect((await gateway.stop()).code).toBe(0)
    expect(await home.runJson(["verify"])).toMatchObject({ balanced: true, lost: 0, waiting: 0, written: 9 })
  })
})

/** Returns the worker processes of a primary, oldest first. */
async function findWorkers(parent: number): Promise<{ readonly pid: number }[]> {
  const { readdirSync, readFileSync } = await import("node:fs")
  return readdirSync("/proc").flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${Number(name)}/stat`, "utf8")
      const of = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1])
      return of === parent ? [{ pid: Number(name) }] : []
    } catch {
      return []
    }
  })
}
