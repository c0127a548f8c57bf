import { tmpdir } from "node:os"
import pg from "pg"
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest"
import type { Settings } from "../../src/config/settings.ts"
import type { Notification } from "../../src/core/notification.ts"
import type { Database } from "../../src/database/_database.ts"
import { connectToDatabase } from "../../src/operations/open/database.ts"
import { startDailyReconcile } from "../../src/server/reconcile.ts"
import { loadSettings } from "../../src/server/settings.ts"
import { ADMIN_KEYS, type BillingProvider, startBillingProvider } from "../support/billing-provider.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { insertRows } from "../support/usage-rows.ts"

const DAY_MS = 86_400_000
const MODEL = "gpt-4o-mini-2024-07-18"
const dayAgo = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10)
const noonOf = (day: string) => Date.parse(`${day}T12:00:00Z`)

let provider: BillingProvider
let client: pg.Client
let database: Database
let settings: Settings
let databaseUrl: string

beforeAll(async () => {
  provider = await startBillingProvider({ now: Date.now() })
  databaseUrl = (await createTestDatabase()).url
  client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  settings = await load()
  database = await connectToDatabase(settings)
  await insertRows(client, [{ at: `${dayAgo(5)}T12:00:00Z`, model: MODEL }])
})
beforeEach(async () => {
  provider.reset()
  await client.query("TRUNCATE llm_reconciliations, majordomo_reconcile_runs")
})
afterAll(async () => {
  await database?.close()
  await client?.end()
  await provider?.close()
})

async function load(env: Readonly<Record<string, string>> = {}): Promise<Settings> {
  const ours = {
    DATABASE_URL: databaseUrl,
    OPENAI_ADMIN_KEY: ADMIN_KEYS.openai,
    MAJORDOMO_RECONCILE_OPENAI_BASE_URL: provider.origin,
  }
  return (await loadSettings({ cwd: tmpdir(), env: { ...ours, ...env } })).settings
}

/** Starts the daily comparison of a gateway that looks every millisecond or so. */
function start({ of = settings, now = Date.now }: { readonly of?: Settings; readonly now?: () => number } = {}) {
  const lines: string[] = []
  const notified: Notification[] = []
  const daily = startDailyReconcile({
    settings: of,
    database,
    now,
    log: (level, line) => void lines.push(`${level} ${line}`),
    tickMs: 2,
    notifications: { notify: (notification) => void notified.push(notification) },
  })
  onTestFinished(() => daily.close())
  return { lines, notified, close: daily.close }
}

const finished = async () =>
  (await client.query("SELECT FROM majordomo_reconcile_runs WHERE finished_at IS NOT NULL")).rowCount
const storedDays = async () =>
  (await client.query("SELECT day::text FROM llm_reconciliations ORDER BY day")).rows.map(({ day }) => day)
const questions = () => provider.adminRequests.filter(({ path }) => path.endsWith("/costs")).length

describe("serve compares the bill once a day", () => {
  test("one of all gateways does it, from the first recorded day on, and a difference beyond the tolerance is logged", async () => {
    const day = dayAgo(3)
    provider.serve({
      provider: "openai",
      at: noonOf(day),
      model: MODEL,
      key: "key_other",
      quantities: { input: 200_000_000 },
    })
    const gateways = [start(), start(), start()]
    await expect.poll(finished, { interval: 5 }).toBe(1)
    await expect
      .poll(() => gateways.flatMap(({ lines }) => lines), { interval: 5 })
      .toEqual([
        `warn reconcile: $30 of the bill of openai for ${dayAgo(5)} to ${newestSettled()} is outside the gateway, in prices, in tokens or unexplained, and $1 is tolerated (reconcile.alert_above). See why: majordomo-gateway reconcile --provider openai --since ${dayAgo(5)}`,
      ])
    expect((await storedDays())[0]).toBe(dayAgo(5))
    expect(gateways.flatMap(({ notified }) => notified)).toMatchObject([
      {
        kind: "reconciliation",
        subject: "openai/far-side-org",
        window: `${dayAgo(5)}/${newestSettled()}`,
        facts: {
          provider: "openai",
          since: `${dayAgo(5)}T00:00:00.000Z`,
          until: `${newestSettled()}T23:59:59.999Z`,
          billed: "30",
          recorded: "0",
          unproven: "30",
          tolerance: "1",
          causes: [{ cause: "outside", amount: "30" }],
        },
      },
    ])
    const asked = questions()
    expect(asked).toBeGreaterThan(0)
    await Promise.all(gateways.map(({ close }) => close()))
    expect(questions()).toBe(asked)
  })

  test("on the next day it looks at the last week again, and does not announce the same difference twice", async () => {
    const day = dayAgo(3)
    provider.serve({
      provider: "openai",
      at: noonOf(day),
      model: MODEL,
      key: "key_other",
      quantities: { input: 200_000_000 },
    })
    const first = start()
    await expect.poll(() => first.lines.length, { interval: 5 }).toBe(1)
    await first.close()
    const asked = questions()
    const next = start({ now: () => Date.now() + DAY_MS })
    await expect.poll(questions, { interval: 5 }).toBeGreaterThan(asked)
    await expect
      .poll(
        async () =>
          (await client.query("SELECT FROM majordomo_reconcile_runs WHERE finished_at > started_at")).rowCount,
        { interval: 5 },
      )
      .toBe(1)
    await next.close()
    expect(next.lines).toEqual([])
    expect(next.notified).toEqual([])
  })

  test("a failure is logged once, without the key, and tried again an hour later", async () => {
    provider.failNext(
      ...Array.from({ length: 20 }, () => ({ status: 401, text: `{"error":{"message":"no ${ADMIN_KEYS.openai}"}}` })),
    )
    const { lines, close } = start()
    await expect.poll(() => lines.length, { interval: 5 }).toBe(1)
    await close()
    expect(lines[0]).toMatch(/^warn reconcile: the bill of openai was not compared: .*reconcile\.openai\.admin_key/)
    expect(lines[0]).not.toContain(ADMIN_KEYS.openai)
    expect(await finished()).toBe(0)
    provider.reset()
    await client.query("UPDATE majordomo_reconcile_runs SET started_at = started_at - interval '61 minutes'")
    start()
    await expect.poll(finished, { interval: 5 }).toBe(1)
  })

  test("a stop ends a question that is open", async () => {
    provider.failNext({ never: true })
    const { lines, close } = start()
    await expect.poll(() => provider.adminRequests.length, { interval: 5 }).toBeGreaterThan(0)
    await close()
    expect(lines).toEqual([])
  })

  test("it does nothing without a credential, with reconcile.daily: false, or before the provider has a request", async () => {
    start({ of: await load({ MAJORDOMO_RECONCILE_DAILY: "false" }) })
    start({ of: await load({ OPENAI_ADMIN_KEY: "" }) })
    const { lines } = start({
      of: await load({
        OPENAI_ADMIN_KEY: "",
        ANTHROPIC_ADMIN_KEY: ADMIN_KEYS.anthropic,
        MAJORDOMO_RECONCILE_ANTHROPIC_BASE_URL: provider.origin,
      }),
    })
    // A gateway that does compare has looked meanwhile.
    start()
    await expect.poll(finished, { interval: 5 }).toBe(1)
    expect((await client.query("SELECT provider FROM majordomo_reconcile_runs")).rows).toEqual([{ provider: "openai" }])
    expect(lines).toEqual([])
  })
})

/** Yesterday settles at 06:00. */
function newestSettled(): string {
  return dayAgo(new Date().getUTCHours() >= 6 ? 1 : 2)
}
