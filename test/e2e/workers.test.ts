import { Agent } from "node:http"
import pg from "pg"
import { afterAll, beforeAll, expect, it } from "vitest"
import { firstKey, lastNumbers, metric } from "../chaos/_books.ts"
import { askOnce } from "../chaos/_load.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { listChildren } from "../support/processes.ts"
import { isThorough } from "../support/thorough.ts"

const KILLS = isThorough ? 8 : 3

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

it("workers share one port, add up their rows and metrics, and end together", async () => {
  await withWorkers({ DATABASE_URL: (await createTestDatabase()).url }, async (home) => {
    const gateway = await home.serve()
    const key = firstKey(gateway)
    const asked = Array.from({ length: 20 }, (_, i) =>
      askOnce({ key, port: gateway.port, tag: `w-${i}`, stream: i % 2 === 0 }),
    )
    expect((await Promise.all(asked)).filter((why) => why !== undefined)).toEqual([])
    await expect.poll(() => metric(gateway, "majordomo_rows_written_total")).toBe(20)
    const { code, stderr } = await gateway.stop()
    expect(code).toBe(0)
    expect(lastNumbers(stderr)).toEqual({ accepted: 20, written: 20, waiting: 0, rejected: 0, dropped: 0 })
    expect(await home.runJson(["verify"])).toMatchObject({ balanced: true, written: 20 })
  })
})

it("every worker rejects a revoked key", async () => {
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

it("a killed worker is replaced, its requests have their rows, and the others continue", async () => {
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
    const [other = 0, pid = 0] = listChildren(gateway.pid)
    process.kill(pid, "SIGKILL")
    process.kill(other, 0)
    const newOnes = () => listChildren(gateway.pid).filter((each) => each !== other && each !== pid).length
    await expect.poll(newOnes).toBe(1)
    expect(gateway.stderr).toContain("starting another one")
    for (let i = 0; i < 8; i++)
      expect(await askOnce({ key, port: gateway.port, tag: `on-${i}`, stream: false })).toBeUndefined()
    process.kill(other, "SIGKILL") // one of the two had the stream, which breaks off now
    expect(await running).toBeDefined()
    const outcome = async () => {
      const rows = (await home.runJson(["usage", "requests", "--where", "Tag=killed"])) as { outcome: string }[]
      return rows.map((row) => row.outcome)
    }
    await expect.poll(outcome).toEqual(["gateway_died"])
    expect((await gateway.stop()).code).toBe(0)
    expect(await home.runJson(["verify"])).toMatchObject({ balanced: true, lost: 0, waiting: 0, written: 9 })
  })
})

it("[O7] a worker that dies leaves no connection unread, and /readyz is 200 only when all workers are up", async () => {
  await withWorkers({ DATABASE_URL: (await createTestDatabase()).url }, async (home) => {
    const gateway = await home.serve()
    const key = firstKey(gateway)
    const ready = async () => (await fetch(`${gateway.origin}/readyz`)).status
    expect(await ready()).toBe(200)
    const [frozen = 0] = listChildren(gateway.pid)
    process.kill(frozen, "SIGSTOP")
    // The first process passes some of these connections to the worker, which never confirms them.
    const asked = Array.from({ length: 8 }, (_, i) =>
      askOnce({ key, port: gateway.port, tag: `f-${i}`, stream: false }),
    )
    await Promise.race(asked)
    process.kill(frozen, "SIGKILL")
    const answers = await Promise.all(asked)
    expect(answers.filter((why) => why === undefined).length).toBeGreaterThan(0)
    expect(answers.filter((why) => why !== undefined).length).toBeGreaterThan(0)
    expect(answers.filter((why) => why?.includes("no answer within"))).toEqual([])
    await expect.poll(ready).toBe(200)
    expect(listChildren(gateway.pid)).toHaveLength(2)
    await gateway.stop()
  })
})

it("[O7] of workers that are killed under load, none leaves a connection unread", { timeout: 240_000 }, async () => {
  await withWorkers({ DATABASE_URL: (await createTestDatabase()).url }, async (home) => {
    const gateway = await home.serve()
    const key = firstKey(gateway)
    for (let round = 0; round < KILLS; round++) {
      const agent = new Agent()
      const ask = (_: unknown, i: number) =>
        askOnce({ key, port: gateway.port, tag: `k-${round}-${i}`, stream: i % 2 === 0, agent })
      const asked = Array.from({ length: 40 }, ask)
      const [pid = 0] = listChildren(gateway.pid)
      process.kill(pid, "SIGKILL")
      // Each client gets an answer, or the end of its connection, at which it may try again.
      expect((await Promise.all(asked)).filter((why) => why?.includes("no answer within"))).toEqual([])
      agent.destroy()
      await expect.poll(() => listChildren(gateway.pid).filter((each) => each !== pid).length).toBe(2)
      await expect.poll(async () => (await fetch(`${gateway.origin}/readyz`).catch(() => undefined))?.status).toBe(200)
    }
    expect((await gateway.stop()).code).toBe(0)
    expect(await home.runJson(["verify"])).toMatchObject({ balanced: true, lost: 0, waiting: 0 })
  })
})

it("[O6] counters and the last log line never go backwards when a worker dies or does not answer", async () => {
  await withWorkers({ DATABASE_URL: (await createTestDatabase()).url }, async (home) => {
    const gateway = await home.serve()
    const key = firstKey(gateway)
    const ask = async (count: number) => {
      const one = (_: unknown, i: number) => askOnce({ key, port: gateway.port, tag: `c-${i}`, stream: false })
      expect((await Promise.all(Array.from({ length: count }, one))).every((why) => why === undefined)).toBe(true)
    }
    const written = () => metric(gateway, "majordomo_rows_written_total")
    await ask(20)
    await expect.poll(written).toBe(20)
    const [first = 0, second = 0] = listChildren(gateway.pid)
    process.kill(first, "SIGSTOP")
    // The worker that does not answer has one of these connections at most, and the kept one if it was its own.
    const asked = Array.from({ length: 4 }, () =>
      metric(gateway, 'majordomo_requests_total{provider="openai",.*,status="200",outcome="complete"}'),
    )
    expect(await Promise.any(asked)).toBe(20)
    for (const pid of [first, second]) {
      process.kill(pid, "SIGKILL")
      await expect.poll(() => listChildren(gateway.pid).includes(pid)).toBe(false)
      await expect.poll(async () => (await fetch(`${gateway.origin}/readyz`).catch(() => undefined))?.status).toBe(200)
      // A killed worker may leave rows that it has written and not crossed off. The next one counts them once more.
      expect(await written()).toBeGreaterThanOrEqual(20)
    }
    const before = await written()
    await ask(5)
    await expect.poll(written).toBeGreaterThanOrEqual(before + 5)
    const { stderr } = await gateway.stop()
    const { accepted, ...numbers } = lastNumbers(stderr)
    expect(accepted).toBeGreaterThanOrEqual(25)
    expect(numbers).toEqual({ written: accepted, waiting: 0, rejected: 0, dropped: 0 })
  })
})

it("one limit holds for all workers together", async () => {
  const { url } = await createTestDatabase()
  const sql = new pg.Client({ connectionString: url })
  await sql.connect()
  await withWorkers({ DATABASE_URL: url }, async (home) => {
    await home.runJson(["limits", "create", "all", "--measure", "requests", "--amount", "20", "--window", "total"])
    const gateway = await home.serve()
    const key = firstKey(gateway)
    let answered = 0
    const askAll = async (count: number) => {
      const asked = Array.from({ length: count }, (_, i) =>
        askOnce({ key, port: gateway.port, tag: `l-${i}`, stream: false, script: { delayMs: 300 } }),
      )
      const failed = (await Promise.all(asked)).filter((why) => why !== undefined)
      for (const why of failed) expect(why).toMatch(/^429 /)
      answered += count - failed.length
    }
    const first = askAll(60)
    const countHolders = "SELECT count(*)::int AS holders FROM llm_limit_leases"
    await expect.poll(async () => (await sql.query(countHolders)).rows[0].holders).toBe(2)
    await first
    // What is idle in the lease of the other worker is free a moment later.
    await expect.poll(async () => askAll(20).then(() => answered)).toBe(20)
    await askAll(20)
    expect(answered).toBe(20)
    await gateway.stop()
    expect(await home.runJson(["limits", "list"])).toMatchObject([{ name: "all", used: "20", reserved: "0" }])
  })
  await sql.end()
})
