import { afterAll, beforeAll, expect, it, vi } from "vitest"
import { callLocally, type LocalCaller } from "../../src/api/call.ts"
import { priceOverrides } from "../../src/api/routes/price-overrides.ts"
import { prices } from "../../src/api/routes/prices.ts"
import { fromUnits, toUnits } from "../../src/core/limit-units.ts"
import type { Database } from "../../src/database/_database.ts"
import { deleteLimit, insertLimit, type NewLimit, readLimitStates, updateLimit } from "../../src/database/limits.ts"
import { openPostgres } from "../../src/database/open.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { type Answered, type Asked, costOf, untilHeard, WAIT } from "../server/_gateways.ts"
import { postgresAt } from "../support/databases.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { type PostgresServer, startPostgres } from "../support/postgres.ts"
import { createRandom } from "../support/random-usage.ts"
import { isThorough } from "../support/thorough.ts"

const SCHEDULES = Number(process.env["LIMITS_SCHEDULES"] ?? (isThorough ? 20 : 3))
const STEPS = 14
const MODEL = "gpt-4o-mini"
const PAST_MODEL = "gpt-4.1-nano"
/** The clock of the third gateway is a minute ahead. */
const SKEW = "--import=data:text/javascript,const%20now=Date.now;Date.now=()=>now()+6e4"

let provider: FakeProvider
let postgres: PostgresServer
let database: Database
let caller: LocalCaller
let homes: readonly Installation[]
let servers: RunningGateway[]
let key: string

beforeAll(async () => {
  provider = await startFakeProvider()
  postgres = await startPostgres()
  const settings = {
    DATABASE_URL: postgres.url,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_SERVER_CREATE_FIRST_KEY: "false",
    MAJORDOMO_SERVER_LIMITS_WHEN_UNAVAILABLE: "block",
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
  }
  const skewed = { ...settings, NODE_OPTIONS: SKEW }
  homes = [settings, settings, skewed].map((each) => createInstallation(each))
  key = ((await homes[0]!.runJson(["keys", "create", "--name", "app"])) as { key: string }).key
  servers = await Promise.all(homes.map((home) => home.serve()))
  database = await openPostgres(postgresAt(postgres.url, { maxConns: 4 }).postgres)
  const loaded = await loadSettings({ cwd: homes[0]!.home, env: settings })
  const actor = { kind: "command", name: "root", role: "admin", id: null, address: null } as const
  const { signal } = new AbortController()
  caller = { settings: loaded.settings, log: () => {}, onProgress: () => {}, signal, now: Date.now, actor }
})
afterAll(async () => {
  await Promise.all(homes.map((home) => home.remove()))
  await database.close()
  await postgres.remove()
  await provider.close()
})

interface Request {
  readonly tag: string
  readonly server: RunningGateway
  /** In units of the limit. */
  readonly exact: number
  isAnswered: boolean
}

async function ask(gateway: number, { headers = {}, body = {} }: Asked = {}): Promise<Answered> {
  const response = await fetch(`${servers[gateway]!.origin}/v1/chat/completions`, {
    method: "POST",
    headers: {
      Authorization: "Bearer sk-test-0123456789",
      "X-Majordomo-Key": key,
      "Content-Type": "application/json",
      ...headers,
    },
    body: JSON.stringify({ model: MODEL, max_tokens: 500, messages: [{ role: "user", content: "hi" }], ...body }),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** One schedule: its limit, and the requests that were sent under it. */
class Run {
  readonly random: () => number
  readonly team: string
  readonly measure: "requests" | "cost"
  readonly requests: Request[] = []
  readonly killed = new Set<RunningGateway>()
  private running: Promise<void>[] = []
  private limit: { readonly id: string; readonly amount: string } | undefined
  /** What may be in use: more than the amount only if it was lowered, or if the past became dearer. */
  private ceiling = 0
  private isDown = false

  constructor(seed: number) {
    this.random = createRandom(seed)
    this.team = `run-${seed}`
    this.measure = seed % 2 === 0 ? "cost" : "requests"
  }

  below(count: number): number {
    return Math.floor(this.random() * count)
  }

  send(model = MODEL): void {
    const tag = `${this.team}-${this.requests.length}`
    const tokens = { input: 10, output: 1 + this.below(500) }
    const gateway = this.below(3)
    const exact = this.measure === "cost" ? costOf(tokens) : 1
    const request: Request = { tag, server: servers[gateway]!, exact, isAnswered: false }
    this.requests.push(request)
    const headers = {
      "X-Majordomo-Team": this.team,
      "X-Majordomo-Tag": tag,
      "X-Fake-Provider": JSON.stringify({ tokens, delayMs: this.below(200) }),
    }
    const asked = ask(gateway, { headers, body: { user: tag, model } }).then(({ status }) => {
      request.isAnswered = status === 200
    })
    this.running.push(asked.catch(() => {})) // its gateway was killed
  }

  /** What is in the database, waits in a journal, or is running. Rows count twice nowhere. */
  async demand(): Promise<number> {
    const forwarded = new Set(provider.exchanges.map(({ json }) => (json as { user?: string }).user))
    const { rows } = this.isDown ? { rows: [] } : await this.readRows()
    const stored = new Map(
      rows.map(({ tag, cost }) => [tag, this.measure === "requests" ? 1 : toUnits(cost, "cost", "up")]),
    )
    return this.requests.reduce((sum, { tag, server, exact, isAnswered }) => {
      if (stored.has(tag)) return sum + stored.get(tag)!
      // What a killed gateway knew of a request is in its journal. How much that is, its row will say.
      const counts = this.killed.has(server) ? isAnswered && this.measure === "requests" : forwarded.has(tag)
      return counts ? sum + exact : sum
    }, 0)
  }

  private readRows() {
    return database.query<{ tag: string; cost: string }>({
      text: `SELECT raw_metadata ->> 'Tag' AS tag, coalesce(total_cost, 0)::text AS cost FROM llm_requests
        WHERE raw_metadata ->> 'Team' = $1 AND outcome NOT IN ('gap', 'rejected')`,
      values: [this.team],
    })
  }

  async check(): Promise<void> {
    if (this.limit !== undefined) expect(await this.demand(), this.team).toBeLessThanOrEqual(this.ceiling)
  }

  /** Sets the amount, of a new limit if there is none. */
  async setAmount(units: number): Promise<void> {
    const amount = fromUnits(units, this.measure)
    const given = { measure: this.measure, window: "total", estimate: "maximum", where: { Team: this.team } } as const
    const limit: NewLimit = { name: this.team, amount, ...given }
    this.limit = (
      this.limit
        ? await updateLimit(database.query, this.limit.id, { amount })
        : await insertLimit(database.query, limit)
    )!
    await this.hear()
    this.ceiling = Math.max(units, await this.demand())
  }

  private hear(): Promise<void> {
    return untilHeard({ database, servers, ask })
  }

  async delete(): Promise<void> {
    await deleteLimit(database.query, this.limit!.id)
    this.limit = undefined
    await this.hear()
    for (let i = 0; i < 5; i++) this.send()
    await this.written()
    await this.setAmount((await this.demand()) + this.unit() * this.below(20))
  }

  async kill(): Promise<void> {
    const gateway = this.below(3)
    this.killed.add(servers[gateway]!)
    await servers[gateway]!.stop("SIGKILL")
    servers[gateway] = await homes[gateway]!.serve()
  }

  async stopDatabase(): Promise<void> {
    this.isDown = true
    await postgres.stop()
    for (let i = 0; i < 10; i++) this.send()
    await Promise.all(this.running)
    await this.check()
    await postgres.start()
    await vi.waitFor(() => database.query("SELECT 1"), WAIT)
    await this.hear()
    this.isDown = false
  }

  async reprice(): Promise<void> {
    const rate = String(0.1 + this.below(10))
    await callLocally(priceOverrides.set, caller, { model: PAST_MODEL, rates: { input: rate, output: rate } })
    await callLocally(prices.reprice, caller, { since: "1h", model: PAST_MODEL })
    this.ceiling = Math.max(this.ceiling, await this.demand())
  }

  unit(): number {
    return this.measure === "cost" ? 400_000 : 1
  }

  /** Waits until nothing runs, and each request that was answered has its row. */
  async written(): Promise<void> {
    await Promise.all(this.running)
    this.running = []
    await vi.waitFor(async () => {
      const stored = new Set((await this.readRows()).rows.map(({ tag }) => tag))
      for (const { tag, isAnswered } of this.requests) if (isAnswered) expect(stored).toContain(tag)
    }, WAIT)
  }

  /** Afterwards, nothing is reserved, and what is left is the amount without the rows. */
  async end(): Promise<void> {
    await this.written()
    const { id, amount } = this.limit!
    await vi.waitFor(async () => {
      const [state] = await readLimitStates(database, { at: Date.now(), limit: id })
      const used = toUnits(state!.used, this.measure, "up")
      const left = Math.max(0, toUnits(amount, this.measure, "down") - used)
      expect(used).toBe(await this.demand())
      expect(state).toMatchObject({ reserved: "0", remaining: fromUnits(left, this.measure) })
    }, WAIT)
    await deleteLimit(database.query, id)
  }
}

it.each(Array.from({ length: SCHEDULES }, (_, i) => i + 1))(
  "with kills, restarts, a stopped database and changed limits, no budget is exceeded and nothing stays reserved (schedule %i)",
  async (seed) => {
    provider.reset()
    const run = new Run(seed)
    await run.setAmount(100 * run.unit())
    for (let i = 0; i < 3; i++) run.send(PAST_MODEL)
    await run.written()
    const rare = [
      () => run.kill(),
      () => run.stopDatabase(),
      () => run.setAmount(run.unit() * (10 + run.below(90))),
      () => run.delete(),
      () => run.reprice(),
    ]
    for (let step = 0; step < STEPS; step++) {
      const count = 2 + run.below(12)
      for (let i = 0; i < count; i++) run.send()
      await run.check()
      if (run.random() < 0.25) await rare[run.below(rare.length)]!()
      await new Promise((resolve) => setTimeout(resolve, run.below(100)))
      await run.check()
    }
    await run.end()
  },
)
