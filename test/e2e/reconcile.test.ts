import pg from "pg"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { formatDecimal, parseDecimal } from "../../src/core/decimal.ts"
import {
  billOf,
  type Planted,
  plantCharge,
  plantDiscount,
  plantLate,
  plantOutside,
  plantPrice,
  plantTokens,
  plantUnmetered,
} from "../support/billing-provider/plantings.ts"
import {
  ADMIN_KEYS,
  type BillingApi,
  type BillingProvider,
  startBillingProvider,
  totalOf,
} from "../support/billing-provider.ts"
import type { Script, Tokens } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"
import { until } from "../support/until.ts"

/** The list prices of November 2026, which the gateway's bundled prices contain too. */
const RATES = {
  "gpt-4.1": { input: "2", cache_read: "0.5", output: "8" },
  "gpt-4.1-mini": { input: "0.4", cache_read: "0.1", output: "1.6" },
  "gpt-4.1-nano": { input: "0.1", cache_read: "0.025", output: "0.4" },
  "gpt-4o": { input: "2.5", cache_read: "1.25", output: "10" },
  "gpt-5-mini": { input: "0.25", cache_read: "0.025", output: "2" },
}
const DAY_MS = 86_400_000
const TOKENS: Partial<Tokens> = { input: 1000, cached: 400, output: 50 }

interface CauseJson {
  readonly cause: Planted["cause"]
  readonly amount: string
}

interface ReconciliationJson {
  readonly provider: BillingApi
  readonly billed: string
  readonly recorded: string
  readonly causes: readonly CauseJson[]
  readonly days: readonly {
    readonly billed: string
    readonly recorded: string
    readonly causes: readonly CauseJson[]
  }[]
}

let provider: BillingProvider
let installation: Installation
let gateway: RunningGateway
let key: string
let database: pg.Client
let asked = 0

beforeAll(async () => {
  provider = await startBillingProvider({
    now: Date.now,
    rates: RATES,
    keys: {
      "sk-app": { id: "key_app", project: "proj_app" },
      "sk-ant-app": { id: "apikey_app", project: "wrkspc_app" },
    },
  })
  const { url } = await createTestDatabase()
  database = new pg.Client({ connectionString: url })
  await database.connect()
  installation = createInstallation({
    DATABASE_URL: url,
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
    MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: provider.origin,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_RECONCILE_DAILY: "false",
    MAJORDOMO_RECONCILE_SETTLE: "1ms",
    MAJORDOMO_RECONCILE_OPENAI_BASE_URL: provider.origin,
    MAJORDOMO_RECONCILE_OPENAI_ADMIN_KEY: ADMIN_KEYS.openai,
    MAJORDOMO_RECONCILE_OPENAI_KEYS: JSON.stringify({ key_app: "app" }),
    MAJORDOMO_RECONCILE_ANTHROPIC_BASE_URL: provider.origin,
    MAJORDOMO_RECONCILE_ANTHROPIC_ADMIN_KEY: ADMIN_KEYS.anthropic,
    MAJORDOMO_RECONCILE_ANTHROPIC_KEYS: JSON.stringify({ apikey_app: "app" }),
  })
  key = ((await installation.runJson(["keys", "create", "--name", "app"])) as { readonly key: string }).key
  gateway = await installation.serve()
})
afterAll(async () => {
  await installation?.remove()
  await database?.end()
  await provider?.close()
})

/** Sends a request through the gateway, and reads its answer as far as it comes. */
async function ask(path: string, body: Record<string, unknown>, script: Script = { tokens: TOKENS }): Promise<number> {
  provider.next(script)
  asked++
  const isAnthropic = path === "/v1/messages"
  const credential: Record<string, string> = isAnthropic
    ? { "x-api-key": "sk-ant-app" }
    : { authorization: "Bearer sk-app" }
  const headers = { ...credential, "content-type": "application/json", "x-majordomo-key": key }
  const sent = { max_tokens: 64, messages: [{ role: "user", content: "How far is it?" }], ...body }
  const response = await fetch(`${gateway.origin}${path}`, {
    method: "POST",
    headers: { ...headers, "x-majordomo-provider-alias": "app" },
    body: JSON.stringify(sent),
  })
  await response.text().catch(() => "")
  return response.status
}

const chat = (model: string, script?: Script) => ask("/v1/chat/completions", { model }, script)

/** Waits until the database has the rows of all requests. */
function untilWritten(): Promise<void> {
  return until(async () => {
    const { rows } = await database.query("SELECT count(*)::int AS count FROM llm_requests")
    expect(rows[0].count).toBe(asked)
  })
}

/** Runs the command over yesterday and today, so that midnight may pass. */
async function reconcile(settings: Record<string, string> = {}) {
  await untilWritten()
  const day = (offset: number) => new Date(Date.now() + offset * DAY_MS).toISOString().slice(0, 10)
  const range = ["--since", day(-1), "--until", day(1)]
  const { code, stdout, stderr } = await installation.run(["reconcile", ...range, "--json"], settings)
  expect([0, 3], stderr).toContain(code)
  const { providers } = JSON.parse(stdout) as { readonly providers: readonly ReconciliationJson[] }
  for (const each of providers) expectComplete(each)
  const of = (api: BillingApi) => providers.find((each) => each.provider === api)!
  return { code, openai: of("openai"), anthropic: of("anthropic") }
}

const sum = (amounts: readonly string[]) => formatDecimal(amounts.reduce((all, each) => all + parseDecimal(each), 0n))

/** The amounts of causes, added up by cause. */
function byCause(causes: readonly Pick<CauseJson, "cause" | "amount">[]): Record<string, string> {
  const names = [...new Set(causes.map(({ cause }) => cause))].sort()
  return Object.fromEntries(
    names.map((name) => [name, sum(causes.filter(({ cause }) => cause === name).map(({ amount }) => amount))]),
  )
}

/** Checks that the causes add up to the difference, in total and for each day. */
function expectComplete({ billed, recorded, causes, days }: ReconciliationJson): void {
  for (const part of [{ billed, recorded, causes }, ...days]) {
    const difference = formatDecimal(parseDecimal(part.billed) - parseDecimal(part.recorded))
    expect(sum(part.causes.map(({ amount }) => amount))).toBe(difference)
  }
}

/** Cuts a stream off, and returns by how much its estimate differs from what is billed. */
async function cutOff(model: string): Promise<Planted> {
  await ask("/v1/chat/completions", { model, stream: true }, { tokens: TOKENS, pieces: 10, breakAfterPieces: 4 })
  await untilWritten()
  const { rows } = await database.query(
    "SELECT total_cost::text AS cost FROM llm_requests WHERE model = $1 AND usage_source = 'estimated'",
    [model],
  )
  const billed = totalOf(
    provider.books,
    provider.books.works.filter((work) => work.model === model),
  )
  return { cause: "estimated", amount: formatDecimal(parseDecimal(billed) - parseDecimal(rows[0].cost)) }
}

describe("the bill of a provider, compared with what the gateway recorded of real requests", () => {
  test("is the same to the last digit for ordinary traffic, also if the keys of the bill are not known", async () => {
    for (const model of ["gpt-4o-mini", "gpt-5", "gpt-4o", "gpt-5-mini", "gpt-4.1-nano"]) {
      for (let times = 0; times < 3; times++) expect(await chat(model)).toBe(200)
    }
    expect(await ask("/v1/chat/completions", { model: "gpt-4o-mini", stream: true })).toBe(200)
    expect(await ask("/v1/embeddings", { model: "text-embedding-3-small", input: "Here we are." })).toBe(200)
    expect(await ask("/v1/moderations", { model: "omni-moderation-latest", input: "Here we are." })).toBe(200)
    const cached = { tokens: { input: 5000, cached: 2000, cacheWrite: 1500, cacheWrite1h: 500, output: 70 } }
    expect(await ask("/v1/messages", { model: "claude-sonnet-4-5" }, cached)).toBe(200)
    expect(await ask("/v1/messages", { model: "claude-sonnet-4-5", stream: true }, cached)).toBe(200)

    const unknownKeys = { MAJORDOMO_RECONCILE_OPENAI_KEYS: "{}", MAJORDOMO_RECONCILE_ANTHROPIC_KEYS: "{}" }
    for (const settings of [undefined, unknownKeys]) {
      const { code, openai, anthropic } = await reconcile(settings)
      for (const each of [openai, anthropic]) {
        const billed = billOf(provider, each.provider)
        expect(each).toMatchObject({ billed, recorded: billed, causes: [], source: "api" })
      }
      expect(code).toBe(0)
    }
  })

  test("shows each planted difference under its cause, to the last digit, with its model and bucket", async () => {
    const at = Date.now()
    const openai = (model: string) => ({ api: "openai", model, at }) as const
    // The answer fails after the work was done, so that the row has no usage.
    expect(await chat("gpt-4.1", { status: 500 })).toBe(500)
    const ofOpenAi: readonly Planted[] = [
      plantOutside(provider, openai("gpt-5-mini")),
      plantOutside(provider, { ...openai("gpt-4o"), at: at - DAY_MS }),
      plantUnmetered(provider, openai("gpt-4.1")),
      await cutOff("gpt-4.1-mini"),
      plantTokens(provider, openai("gpt-4o"), "output", 17),
      plantPrice(provider, openai("gpt-5"), "cache_read", "0.25"),
      plantCharge(provider, { ...openai(""), cause: "discount", item: "credit grant", amount: "-0.5" }),
      plantCharge(provider, { ...openai(""), cause: "discount", item: "sales tax", amount: "0.11" }),
      plantCharge(provider, { ...openai(""), cause: "fees", item: "code interpreter sessions", amount: "0.03" }),
      plantCharge(provider, { ...openai(""), cause: "unexplained", item: "miscellaneous", amount: "0.0123" }),
    ]
    const ofAnthropic = [
      plantDiscount(provider, "0.1"),
      plantCharge(provider, { api: "anthropic", at, cause: "fees", item: "code_execution", amount: "0.05" }),
    ]
    const found = await reconcile()
    expect(found.openai.billed).toBe(billOf(provider, "openai"))
    expect(byCause(found.openai.causes)).toEqual(byCause(ofOpenAi))
    expect(found.anthropic.billed).toBe(billOf(provider, "anthropic"))
    expect(byCause(found.anthropic.causes)).toEqual(byCause(ofAnthropic))
    expect(found.openai.causes).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ cause: "outside", model: "gpt-5-mini", key: "key_evals", requests: 312 }),
        expect.objectContaining({ cause: "unmetered", model: "gpt-4.1", requests: 1 }),
        expect.objectContaining({ cause: "estimated", model: "gpt-4.1-mini", requests: 1 }),
        expect.objectContaining({ cause: "tokens", model: "gpt-4o", bucket: "output" }),
        expect.objectContaining({
          cause: "price",
          model: "gpt-5",
          bucket: "cache_read",
          rate: expect.objectContaining({ billed: "0.25", recorded: "0.125" }),
        }),
      ]),
    )
    // The current day is settling and never alarms, and the day before is beyond what is tolerated.
    expect(found.code).toBe(3)
  })

  test("misses what the reports do not show yet, and is complete with Anthropic's legacy reports too", async () => {
    const late = plantLate(provider, { api: "openai", model: "gpt-4.1-nano", at: 0 }, Date.now() + DAY_MS)
    provider.analytics = "not_found"
    const { openai, anthropic } = await reconcile()
    expect(openai.causes).toContainEqual(
      expect.objectContaining({ model: "gpt-4.1-nano", amount: `-${totalOf(provider.books, [late])}`, requests: 1 }),
    )
    expect(anthropic).toMatchObject({ source: "legacy-api", billed: billOf(provider, "anthropic") })
    // The legacy reports have no list prices, so that a discount looks like another price.
    expect(Object.keys(byCause(anthropic.causes))).toEqual(["fees", "price"])
  })
})
