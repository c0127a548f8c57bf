import { Readable } from "node:stream"
import pg from "pg"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { callLocally } from "../../src/api/call.ts"
import { callRemotely } from "../../src/api/remote.ts"
import { reconciliations } from "../../src/api/routes/reconciliations.ts"
import { ADMIN_KEYS, type BillingProvider, EXPIRED_KEY, startBillingProvider } from "../support/billing-provider.ts"
import { insertRows } from "../support/usage-rows.ts"
import { type AdminApi, startAdminApi } from "./_api.ts"

const DAY_MS = 86_400_000
const dayAgo = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString().slice(0, 10)
const noonOf = (day: string) => Date.parse(`${day}T12:00:00Z`)
const MODEL = "gpt-4o-mini-2024-07-18"
const SETTLED = dayAgo(3)

let provider: BillingProvider
let admin: AdminApi
let client: pg.Client
let root: string
let viewer: string
let startedAt: Date

beforeAll(async () => {
  provider = await startBillingProvider({ now: Date.now() })
  admin = await startAdminApi({
    OPENAI_ADMIN_KEY: ADMIN_KEYS.openai,
    ANTHROPIC_ADMIN_KEY: EXPIRED_KEY,
    MAJORDOMO_RECONCILE_OPENAI_BASE_URL: provider.origin,
    MAJORDOMO_RECONCILE_ANTHROPIC_BASE_URL: provider.origin,
  })
  root = (await admin.createToken("admin")).token
  viewer = (await admin.createToken("viewer")).token
  client = new pg.Client({ connectionString: admin.caller.settings.storage.postgres.url })
  await client.connect()
  await insertRows(client, [{ at: `${SETTLED}T12:00:00Z`, model: MODEL, input: 1_000_000, cost: "0.15", price: PRICE }])
})
beforeEach(async () => {
  provider.reset()
  provider.serve({ provider: "openai", at: noonOf(SETTLED), model: MODEL, quantities: { input: 1_000_000 } })
  await client.query("TRUNCATE llm_reconciliations, llm_bill_lines")
  startedAt = (await client.query("SELECT clock_timestamp() AS now")).rows[0].now
})
afterAll(async () => {
  await client?.end()
  await admin?.close()
  await provider?.close()
  expect(admin.bugs).toEqual([])
})

const PRICE = {
  lines: [
    {
      side: "input",
      bucket: "input",
      model: MODEL,
      quantity: 1_000_000,
      rate: "0.15",
      per: "million",
      factor: "1",
      amount: "0.15",
      source: "genai-prices",
      date: "2026-01-02",
    },
  ],
}

/** Adds usage of a key that no request through the gateway has used. It costs 30 USD. */
const serveOutside = () =>
  provider.serve({
    provider: "openai",
    at: noonOf(SETTLED),
    model: MODEL,
    key: "key_other",
    project: "proj_other",
    requests: 5,
    quantities: { input: 200_000_000 },
  })

const send = async (path: string, body: unknown, token = root, type = "application/json") => {
  const response = await fetch(`${admin.url}/api/v1${path}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": type },
    body: typeof body === "string" ? body : JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as never as Record<string, unknown> }
}
const list = async (query = "") => (await (await admin.ask(`/reconciliations${query}`, viewer)).json()) as never
const actions = async () =>
  (await client.query("SELECT action, target FROM llm_audit WHERE at >= $1 ORDER BY at, id", [startedAt])).rows

describe("a bill that the gateway reads", () => {
  test("is compared with what was recorded; the result is stored, and billed - recorded is the sum of the causes", async () => {
    serveOutside()
    const { status, body } = await send("/reconciliations", { provider: "openai", since: dayAgo(5) })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      since: dayAgo(5),
      until: dayAgo(-1),
      failed: [],
      providers: [
        {
          provider: "openai",
          source: "api",
          billed: "30.15",
          recorded: "0.15",
          excess: "30",
          tolerated: "1",
          within_tolerance: false,
          causes: [{ cause: "outside", amount: "30", days: [SETTLED] }],
        },
      ],
    })
    const stored = (await list(`?since=${dayAgo(5)}`)) as { configured: unknown; providers: Record<string, unknown>[] }
    expect(stored.configured).toEqual(["openai", "anthropic"])
    expect(stored.providers).toEqual(body["providers"])
    expect(await actions()).toEqual([{ action: "reconcile", target: "openai" }])
  })

  test("does not alarm on days that are settling", async () => {
    provider.setTime(Date.now())
    provider.serve({
      provider: "openai",
      at: Date.parse(dayAgo(0)) + 1,
      model: MODEL,
      quantities: { input: 200_000_000 },
    })
    const { providers } = await callLocally(reconciliations.run, admin.caller, { provider: "openai", since: dayAgo(5) })
    expect(providers[0]).toMatchObject({ billed: "30.15", settling: true, excess: "0", within_tolerance: true })
    expect(providers[0]!.days.at(-1)).toMatchObject({ day: dayAgo(0), difference: "30", settling: true })
  })

  test("is compared although another provider's key has expired, which is said without the key", async () => {
    const { status, body } = await send("/reconciliations", { since: dayAgo(5) })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      providers: [{ provider: "openai", causes: [], within_tolerance: true }],
      failed: [
        { provider: "anthropic", reason: "expired", message: expect.stringContaining("reconcile.anthropic.admin_key") },
      ],
    })
    const alone = await send("/reconciliations", { provider: "anthropic" })
    expect(alone.status).toBeGreaterThanOrEqual(400)
    for (const text of [JSON.stringify(body), JSON.stringify(alone.body)])
      for (const key of [EXPIRED_KEY, ADMIN_KEYS.openai]) expect(text).not.toContain(key)
  })

  test("is not asked for by viewers, and one without a credential is explained", async () => {
    expect(await send("/reconciliations", {}, viewer)).toMatchObject({ status: 403 })
    expect((await send("/reconciliations", { provider: "openrouter" })).body).toMatchObject({
      detail: expect.stringMatching(
        /no bill of openrouter .*: set reconcile\.openrouter\.provisioning_key \(MAJORDOMO_RECONCILE_OPENROUTER_PROVISIONING_KEY, or OPENROUTER_PROVISIONING_KEY\), or import a file/,
      ),
    })
    expect((await send("/reconciliations", { month: "2026-13" })).body).toMatchObject({ field: "month" })
    expect((await send("/reconciliations", { month: "2026-11", since: "7d" })).body).toMatchObject({ field: "month" })
  })

  test("begins after the requests that were pruned", async () => {
    await client.query("UPDATE majordomo_schema SET pruned_before = $1", [dayAgo(4)])
    const notes: string[] = []
    const caller = { ...admin.caller, log: (line: string) => void notes.push(line) }
    const { providers } = await callLocally(reconciliations.run, caller, { provider: "openai", since: dayAgo(9) })
    await client.query("UPDATE majordomo_schema SET pruned_before = NULL")
    expect(providers[0]!.since).toBe(dayAgo(4))
    expect(notes).toContain(`note: the requests before ${dayAgo(4)} were pruned, so the comparison begins on that day`)
  })

  test("is nowhere with its key: neither in the database nor in the audit log", async () => {
    await send("/reconciliations", { since: dayAgo(5) })
    for (const table of ["llm_reconciliations", "llm_audit", "majordomo_reconcile_runs"]) {
      const { rows } = await client.query(`SELECT coalesce(json_agg(t), '[]')::text AS all FROM ${table} t`)
      for (const key of [EXPIRED_KEY, ADMIN_KEYS.openai]) expect(rows[0].all).not.toContain(key)
    }
  })
})

describe("a bill from a file", () => {
  const csv = `date,model,cost\n${SETTLED},gemini-3-pro,1.25\n${SETTLED},gemini-3-flash,0.05\n`

  test("is sent as the body, stored, and compared again without the file", async () => {
    const { status, body } = await send("/reconciliations/import?provider=gemini", csv, root, "text/csv")
    expect(status).toBe(200)
    expect(body).toMatchObject({ provider: "gemini", source: "import", since: SETTLED, billed: "1.3", recorded: "0" })
    const { providers } = await callLocally(reconciliations.run, admin.caller, { provider: "gemini" })
    expect(providers[0]).toMatchObject({ source: "import", billed: "1.3" })
    expect((await actions()).map(({ action }) => action)).toEqual(["reconcile.import", "reconcile", "reconcile"])
  })

  test("is sent from afar in pieces, and read in the process of a command", async () => {
    const file = () => Readable.from([...csv].map((character) => Buffer.from(character)))
    const input = { provider: "gemini" }
    const here = await callLocally(reconciliations.import, { ...admin.caller, file: file() }, input)
    const listener = { log: () => {}, onProgress: () => {}, signal: admin.caller.signal, file: file() }
    const afar = await callRemotely(reconciliations.import, { url: admin.url, token: root }, input, listener)
    expect(afar).toMatchObject({ billed: "1.3", days: here.days })
  })

  test.each([
    ["another type", "text/plain", csv, "with Content-Type: text/csv or application/octet-stream"],
    ["nothing", "text/csv", "", "file is empty"],
    ["no bill", "text/csv", "a,b\n1,2\n", ""],
  ])("is rejected if it is %s", async (_, type, file, message) => {
    const { status, body } = await send("/reconciliations/import?provider=gemini", file, root, type)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(body["detail"]).toContain(message)
    expect((await client.query("SELECT FROM llm_bill_lines")).rowCount).toBe(0)
  })

  test("is not taken from viewers", async () => {
    expect(await send("/reconciliations/import?provider=gemini", csv, viewer, "text/csv")).toMatchObject({
      status: 403,
    })
  })
})
