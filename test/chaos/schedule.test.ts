import { request } from "node:http"
import { setTimeout as wait } from "node:timers/promises"
import pg from "pg"
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest"
import { createRandom, type Random } from "../providers/_random.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"
import { firstKey, lastNumbers, metric, readRows, toAccount, untilDrained, verifyBooks } from "./_books.ts"
import { type Fault, faultsOf } from "./_faults.ts"
import { type Load, startLoad, tagsSeen } from "./_load.ts"
import { report, times } from "./_mode.ts"
import { startWire, type Wire } from "./_wire.ts"

/** CHAOS_SEED repeats a run with the same faults in the same order and for the same time. The timing of the load varies. */
const SEED = Number(process.env["CHAOS_SEED"] ?? Date.now() % 2 ** 31)
const SCHEDULES = times(1, 5)
const STEPS = times(6, 20)
const MOST_MS = times(500, 3000)

let fakeProvider: FakeProvider
let server: PostgresServer
let wire: Wire
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  server = await startPostgres({ settings: { synchronous_commit: "on", max_connections: "30" } })
  wire = await startWire(server.port)
})
afterAll(async () => {
  await Promise.all([wire.close(), fakeProvider.close()])
  await server.remove()
})

/** What the faults other than those of the database need. */
interface Scene {
  readonly home: Installation
  readonly load: Load
  readonly key: string
  gateway: RunningGateway
}

/** Faults of the gateway, of the provider and of clients. */
function faultsBeside(scene: Scene, random: Random): Fault[] {
  return [
    {
      name: "gateway killed",
      async begin() {
        scene.load.aim(undefined)
        await scene.gateway.stop("SIGKILL")
      },
      async heal() {
        scene.gateway = await scene.home.serve({ args: ["--quiet"] })
        scene.load.aim(scene.gateway.port)
      },
    },
    {
      name: "gateway frozen",
      begin: async () => void process.kill(scene.gateway.pid, "SIGSTOP"),
      heal: async () => void process.kill(scene.gateway.pid, "SIGCONT"),
    },
    {
      name: "provider breaks off",
      begin: async () => fakeProvider.always({ breakAfterPieces: random.below(4), pieces: 8 }),
      heal: async () => fakeProvider.always({ delayMs: 5 }),
    },
    {
      name: "provider is slow",
      begin: async () => fakeProvider.always({ delayMs: 300 + random.below(500) }),
      heal: async () => fakeProvider.always({ delayMs: 5 }),
    },
    {
      name: "clients leave",
      begin: async () =>
        void (await Promise.all(Array.from({ length: 10 }, (_, i) => leave(scene, random.below(30), i)))),
      heal: async () => {},
    },
  ]
}

let left = 0

/** Requests a stream and disconnects during it or before it. */
function leave({ key, gateway }: Scene, afterMs: number, index: number): Promise<void> {
  const tag = `left-${left++}-${index}`
  const body = JSON.stringify({ model: "gpt-4o-mini", stream: true, messages: [{ role: "user", content: tag }] })
  return new Promise((resolve) => {
    const asking = request({
      port: gateway.port,
      host: "127.0.0.1",
      method: "POST",
      path: "/v1/chat/completions",
      headers: {
        "x-majordomo-key": key,
        "x-majordomo-tag": tag,
        "content-type": "application/json",
        "x-fake-provider": '{"pieces":20,"pieceDelayMs":10}',
      },
    })
    asking.on("error", () => {}).on("close", () => resolve())
    asking.on("response", (response) => response.resume().on("error", () => {}))
    asking.end(body)
    setTimeout(() => asking.destroy(), afterMs)
  })
}

it.each(Array.from({ length: SCHEDULES }, (_, i) => SEED + i))(
  "[FUZ-06] whatever faults database, gateway, provider and clients have, in any order: no row is lost or duplicated, and the counts add up (CHAOS_SEED=%i)",
  async (seed) => {
    const random = createRandom(seed)
    fakeProvider.reset()
    fakeProvider.always({ delayMs: 5 })
    const name = `s_${seed}`
    await runOnce(`CREATE DATABASE ${name}`)
    const url = server.url.replace(/\/postgres$/, `/${name}`)
    const home = createInstallation({
      MAJORDOMO_STORAGE_POSTGRES_URL: url.replace(`:${server.port}/`, `:${wire.port}/`),
      MAJORDOMO_STORAGE_POSTGRES_MAX_CONNS: "6",
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: fakeProvider.origin,
      MAJORDOMO_PRICING_REMOTE_URL: "",
    })
    onTestFinished(() => home.remove())
    const gateway = await home.serve({ args: ["--quiet"] })
    const key = firstKey(gateway)
    const load = startLoad({ key, clients: 12, prefix: `s${seed}`, perSecond: 150 })
    const scene: Scene = { home, load, key, gateway }
    load.aim(gateway.port)
    await expect.poll(() => metric(scene.gateway, "majordomo_rows_written_total")).toBeGreaterThan(20)
    const ofDatabase = faultsOf(server, wire, url)
    const beside = faultsBeside(scene, random)
    const happened: string[] = []
    for (let step = 0; step < STEPS; step++) {
      // A fault of the database inside another fault ends first, because a gateway cannot start without its database.
      const outer = random.one(beside)
      const inner = random.below(3) === 0 ? undefined : random.one(ofDatabase)
      const lasts = [random.below(MOST_MS), random.below(MOST_MS)]
      happened.push(inner ? `${outer.name} + ${inner.name}` : outer.name)
      await inner?.begin()
      await wait(lasts[0]!) // the duration of the faults is what is tested
      await outer.begin()
      await wait(lasts[1]!)
      await inner?.heal()
      await outer.heal()
      if (random.below(2) === 0) await untilDrained(scene.gateway)
    }
    await untilDrained(scene.gateway)
    const sent = await load.stop()
    const { code, stderr } = await scene.gateway.stop()
    const account = toAccount(await readRows(url), [...sent.answered, ...tagsSeen(fakeProvider)])
    report(`schedule ${seed}`, {
      faults: happened.join(", "),
      requests: sent.requests,
      answered: sent.answered.length,
      rows: account.rows,
      died: account.died,
      lost: account.lost.length,
      twice: account.duplicates.length,
    })
    expect(code).toBe(0)
    expect(sent.answered.length).toBeGreaterThan(20)
    expect(account).toMatchObject({ lost: [], duplicates: [] })
    const numbers = lastNumbers(stderr)
    expect(numbers).toMatchObject({ written: numbers.accepted, waiting: 0, rejected: 0, dropped: 0 })
    expect(await verifyBooks(home)).toMatchObject({ balanced: true, lost: 0, waiting: 0 })
  },
  times(400_000, 500_000),
)

async function runOnce(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}
