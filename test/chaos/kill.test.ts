import { afterAll, beforeAll, expect, it } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation } from "../support/gateway.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"
import { ask } from "./_ask.ts"
import { firstKey, lastNumbers, readRows, toAccount, verifyBooks } from "./_books.ts"
import { askOnce, startLoad, tagsSeen } from "./_load.ts"
import { report, times } from "./_mode.ts"

const LIMIT_MS = times(400_000, 1_800_000)

let fakeProvider: FakeProvider
let server: PostgresServer
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  server = await startPostgres({ settings: { synchronous_commit: "on" } })
})
afterAll(async () => {
  await fakeProvider.close()
  await server.remove()
})

const COMMON = () => ({
  MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
  MAJORDOMO_PRICING_REMOTE_URL: "",
  MAJORDOMO_SERVER_SHUTDOWN_TIMEOUT: "10s",
})

async function withHome(settings: Record<string, string>, work: (home: Installation) => Promise<void>): Promise<void> {
  const home = createInstallation({ ...COMMON(), ...settings })
  try {
    fakeProvider.reset()
    fakeProvider.always({ delayMs: 5 })
    await work(home)
  } finally {
    await home.remove()
  }
}

async function newDatabase(): Promise<string> {
  const name = `c_${crypto.randomUUID().replaceAll("-", "")}`
  await ask(server.url, `CREATE DATABASE ${name}`)
  return server.url.replace(/\/postgres$/, `/${name}`)
}

/** Kills the gateway repeatedly while it works, and starts it again in the same home. */
async function killUnderLoad(home: Installation, rounds: number, workMs: number) {
  let gateway = await home.serve({ args: ["--quiet"] })
  const load = startLoad({ key: firstKey(gateway), clients: 16, prefix: "kill" })
  for (let round = 0; round < rounds; round++) {
    const before = load.requests
    load.aim(gateway.port)
    await expect.poll(() => load.requests - before).toBeGreaterThan(50)
    await new Promise((resolve) => setTimeout(resolve, Math.random() * workMs))
    load.aim(undefined)
    await gateway.stop("SIGKILL")
    gateway = await home.serve({ args: ["--quiet"] })
  }
  const sent = await load.stop()
  const { code, stderr } = await gateway.stop()
  expect(code).toBe(0)
  const numbers = lastNumbers(stderr)
  expect(numbers).toMatchObject({ waiting: 0, rejected: 0, dropped: 0, written: numbers.accepted })
  return sent
}

it(
  "kill -9 under load loses no row of a request that reached the provider, and duplicates none",
  async () => {
    const url = await newDatabase()
    await withHome({ DATABASE_URL: url }, async (home) => {
      const rounds = times(3, 50)
      const sent = await killUnderLoad(home, rounds, 300)
      const account = toAccount(await readRows(url), [...sent.answered, ...tagsSeen(fakeProvider)])
      report("kill -9, PostgreSQL", {
        rounds,
        requests: sent.requests,
        answered: sent.answered.length,
        rows: account.rows,
        died: account.died,
        lost: account.lost.length,
        twice: account.duplicates.length,
      })
      expect(account).toMatchObject({ lost: [], duplicates: [] })
      expect(account.died).toBeGreaterThan(0)
      expect(await verifyBooks(home)).toMatchObject({ balanced: true, lost: 0, waiting: 0 })
    })
  },
  LIMIT_MS,
)

it(
  "kill -9 of the process with the embedded database, while it writes, loses no row either",
  async () => {
    await withHome({}, async (home) => {
      const rounds = times(1, 10)
      const sent = await killUnderLoad(home, rounds, 600)
      const rows = (await home.runJson(["usage", "requests", "--limit", "1000000"])) as {
        raw_metadata: { Tag: string }
        outcome: string
      }[]
      const tagged = rows.map(({ raw_metadata, outcome }) => ({ tag: raw_metadata.Tag, outcome }))
      const account = toAccount(tagged, [...sent.answered, ...tagsSeen(fakeProvider)])
      report("kill -9, embedded", {
        rounds,
        requests: sent.requests,
        answered: sent.answered.length,
        rows: account.rows,
        died: account.died,
        lost: account.lost.length,
        twice: account.duplicates.length,
      })
      expect(account).toMatchObject({ lost: [], duplicates: [] })
      expect(await verifyBooks(home)).toMatchObject({ balanced: true, lost: 0, waiting: 0 })
    })
  },
  LIMIT_MS,
)

it(
  "SIGTERM with running streams: each stream completes and has its row, and the process ends with 0",
  async () => {
    const url = await newDatabase()
    await withHome({ DATABASE_URL: url }, async (home) => {
      const rounds = times(2, 20)
      const streams = 20
      let key = ""
      const tags: string[] = []
      const broken: string[] = []
      for (let round = 0; round < rounds; round++) {
        const gateway = await home.serve({ args: ["--quiet"] })
        if (round === 0) key = firstKey(gateway)
        const script = { pieces: 40, pieceDelayMs: 20 + round }
        const before = fakeProvider.exchanges.length
        const asked = Array.from({ length: streams }, (_, i) => {
          const tag = `term-${round}-${i}`
          tags.push(tag)
          return askOnce({ key, port: gateway.port, tag, stream: true, script })
        })
        await expect.poll(() => fakeProvider.exchanges.length - before, { interval: 5 }).toBe(streams)
        const ran = gateway.stop()
        for (const why of await Promise.all(asked)) if (why !== undefined) broken.push(why)
        const { code, stderr } = await ran
        expect(code).toBe(0)
        expect(lastNumbers(stderr)).toEqual({
          accepted: streams,
          written: streams,
          waiting: 0,
          rejected: 0,
          dropped: 0,
        })
      }
      const rows = await readRows(url)
      const account = toAccount(rows, tags)
      report("SIGTERM with streams", {
        rounds,
        streams: tags.length,
        broken: broken.length,
        rows: account.rows,
        lost: account.lost.length,
        twice: account.duplicates.length,
      })
      expect(broken).toEqual([])
      expect(account).toMatchObject({ lost: [], duplicates: [], died: 0 })
    })
  },
  LIMIT_MS,
)
