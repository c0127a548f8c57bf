import { writeFileSync } from "node:fs"
import { join } from "node:path"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { startWire } from "../chaos/_wire.ts"
import { type Receiver, startReceiver } from "../notifications/_receiver.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { createInstallation, type Installation, type RunningGateway } from "../support/gateway.ts"
import { createTestDatabase } from "../support/postgres.ts"

const WAIT = { timeout: 120_000, interval: 50 }
const SECRETS = ["T0KENPATH", "S3CRET-0123456789"]

describe("two gateways of one database", () => {
  let provider: FakeProvider
  let receiver: Receiver
  let sql: pg.Client
  let settings: Readonly<Record<string, string>>
  const installations: Installation[] = []
  const said: string[] = []

  beforeAll(async () => {
    provider = await startFakeProvider()
    receiver = await startReceiver()
    const { url } = await createTestDatabase()
    sql = new pg.Client({ connectionString: url })
    await sql.connect()
    settings = {
      DATABASE_URL: url,
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
      MAJORDOMO_NOTIFICATIONS_CHANNELS: JSON.stringify({
        hook: { type: "webhook", url: receiver.url, secret: SECRETS[1] },
      }),
    }
  })
  afterAll(async () => {
    for (const installation of installations) await installation.remove()
    await sql?.end()
    await receiver?.close()
    await provider?.close()
  })

  async function serve(): Promise<{ readonly gateway: RunningGateway; readonly installation: Installation }> {
    const installation = createInstallation(settings)
    installations.push(installation)
    return { installation, gateway: await installation.serve() }
  }

  const request = (origin: string, key: string, model = "gpt-4o-mini") =>
    fetch(`${origin}/v1/chat/completions`, {
      method: "POST",
      headers: {
        Authorization: "Bearer sk-test-0123456789",
        "X-Majordomo-Key": key,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "hi" }] }),
    }).then((response) => response.text())

  const of = (kind: string) => receiver.received.filter(({ json }) => json["kind"] === kind)
  const unsent = async () =>
    Number((await sql.query("SELECT count(*) FROM majordomo_deliveries WHERE state <> 'sent'")).rows[0].count)

  test("tell each thing once, also if one of them is killed while it sends", async () => {
    const first = await serve()
    const { token } = (await first.installation.runJson(["tokens", "create", "--name", "t", "--role", "admin"])) as {
      token: string
    }
    const api = async (path: string, body: object, { gateway } = first) => {
      const response = await fetch(`${gateway.origin}/api/v1${path}`, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
      })
      expect(response.status).toBeLessThan(300)
      return (await response.json()) as { readonly key: string; readonly id: string }
    }
    const keys = await Promise.all(Array.from({ length: 8 }, (_, i) => api("/keys", { name: `key ${i}` })))

    // The receiver does not answer: the first gateway has sent the message, and nobody knows whether it arrived.
    receiver.always("never")
    await request(first.gateway.origin, keys[0]!.key)
    await vi.waitFor(() => expect(of("new_key")).toHaveLength(1), WAIT)
    const second = await serve()
    said.push(...Object.values(await first.gateway.stop("SIGKILL")).map(String))
    receiver.always({ status: 200 })
    // What 90 seconds do: the lease of the killed gateway ends.
    await sql.query("UPDATE majordomo_deliveries SET next_attempt_at = now() WHERE state = 'waiting'")
    await vi.waitFor(async () => expect(await unsent()).toBe(0), WAIT)
    expect(of("new_key").map(({ json }) => json["subject"])).toEqual([keys[0]!.id, keys[0]!.id])
    expect(new Set(of("new_key").map(({ headers }) => headers["x-majordomo-delivery"])).size).toBe(1)

    // Both see each key and the model without a price at the same time.
    const third = await serve()
    const before = receiver.received.length
    await api(
      "/limits",
      { name: "all", measure: "requests", amount: 10, window: "total", action: "warn", notify_at: [50] },
      third,
    )
    const origins = [second.gateway.origin, third.gateway.origin]
    await Promise.all(keys.slice(1).flatMap(({ key }) => origins.map((origin) => request(origin, key, "house-model"))))
    await vi.waitFor(() => expect(receiver.received.length).toBeGreaterThanOrEqual(before + keys.length + 1), WAIT)
    for (const { gateway } of [second, third]) said.push(...Object.values(await gateway.stop()).map(String))
    expect(await unsent()).toBe(0)
    const found = receiver.received.slice(before).map(({ json }) => `${json["kind"]} ${json["subject"]}`)
    const limit = expect.stringMatching(/^limit [0-9a-f-]{36} 50%$/)
    const uses = keys.slice(1).map(({ id }) => `new_key ${id}`)
    expect(found.sort()).toEqual([limit, ...uses.sort(), "unpriced_model openai/house-model"])
  })

  test("show no secret of a channel in their output, in rows, and in what commands say", async () => {
    const [installation] = installations
    for (const args of [
      ["notify", "list"],
      ["notify", "list", "--json"],
      ["doctor"],
      ["status", "--json"],
      ["audit", "list", "--json"],
    ]) {
      const { stdout, stderr } = await installation!.run(args)
      said.push(stdout, stderr)
    }
    for (const table of ["majordomo_notifications", "majordomo_deliveries", "llm_audit", "llm_requests"]) {
      said.push(JSON.stringify((await sql.query(`SELECT * FROM ${table}`)).rows))
    }
    expect(said.join("\n")).toContain("hook")
    for (const secret of SECRETS) expect(said.join("\n")).not.toContain(secret)
  })
})

/** Puts the clock of a process forward by a minute at each SIGUSR2: rows that have waited for a second have waited for longer. */
const CLOCK = `const { now } = Date
let ahead = 0
Date.now = () => now() + ahead
process.on("SIGUSR2", () => { ahead += 60_000 })`

test("a database that is away from the start of an outage on is told by its gateway directly", async () => {
  const receiver = await startReceiver()
  const provider = await startFakeProvider()
  const { url } = await createTestDatabase()
  const wire = await startWire(Number(new URL(url).port))
  const through = new URL(url)
  through.hostname = "127.0.0.1"
  through.port = String(wire.port)
  const installation = createInstallation({
    DATABASE_URL: through.href,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
    MAJORDOMO_NOTIFICATIONS_CHANNELS: JSON.stringify({ hook: { type: "webhook", url: receiver.url } }),
    MAJORDOMO_NOTIFICATIONS_RULES: JSON.stringify([{ when: "rows_waiting", to: "hook" }]),
  })
  try {
    const clock = join(installation.home, "clock.cjs")
    writeFileSync(clock, CLOCK)
    const gateway = await installation.serve({ settings: { NODE_OPTIONS: `--require ${clock}` } })
    const { key } = (await installation.runJson(["keys", "create", "--name", "app"])) as { readonly key: string }
    const ask = () =>
      fetch(`${gateway.origin}/v1/chat/completions`, {
        method: "POST",
        headers: {
          Authorization: "Bearer sk-test-0123456789",
          "X-Majordomo-Key": key,
          "Content-Type": "application/json",
        },
        body: JSON.stringify({ model: "gpt-4o-mini", messages: [] }),
      }).then(({ status }) => status)
    expect(await ask()).toBe(200)
    wire.cut()
    expect(await ask()).toBe(200)
    const stalled = async () => (await fetch(`${gateway.origin}/metrics`)).text()
    await vi.waitFor(async () => expect(await stalled()).toMatch(/^majordomo_rows_stalled_seconds (?!0$)/m), WAIT)
    process.kill(gateway.pid, "SIGUSR2")
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1), { timeout: 200_000, interval: 200 })
    expect(receiver.received[0]!.json).toMatchObject({ kind: "rows_waiting", facts: { waiting: expect.any(Number) } })
    wire.mend()
    const sql = new pg.Client({ connectionString: url })
    await sql.connect()
    const count = async () =>
      Number((await sql.query("SELECT count(*) FROM majordomo_deliveries WHERE state = 'sent'")).rows[0].count)
    await vi.waitFor(async () => expect(await count()).toBe(1), WAIT)
    await sql.end()
    expect(receiver.received).toHaveLength(1)
  } finally {
    await installation.remove()
    await wire.close()
    await receiver.close()
    await provider.close()
  }
})

test("several processes behind a port find things, and their primary process sends them", async () => {
  const receiver = await startReceiver()
  const provider = await startFakeProvider()
  const { url } = await createTestDatabase()
  const installation = createInstallation({
    DATABASE_URL: url,
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_SERVER_WORKERS: "2",
    MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
    MAJORDOMO_NOTIFICATIONS_CHANNELS: JSON.stringify({ hook: { type: "webhook", url: receiver.url } }),
  })
  try {
    const gateway = await installation.serve()
    const { key, id } = (await installation.runJson(["keys", "create", "--name", "app"])) as Record<string, string>
    const headers = {
      Authorization: "Bearer sk-test-0123456789",
      "X-Majordomo-Key": key!,
      "Content-Type": "application/json",
    }
    const body = JSON.stringify({ model: "gpt-4o-mini", messages: [] })
    const ask = () => fetch(`${gateway.origin}/v1/chat/completions`, { method: "POST", headers, body })
    const answers = await Promise.all(Array.from({ length: 20 }, ask))
    expect(answers.every(({ ok }) => ok)).toBe(true)
    await vi.waitFor(() => expect(receiver.received.length).toBeGreaterThan(0), WAIT)
    const metrics = () => fetch(`${gateway.origin}/metrics`).then((response) => response.text())
    const sent = /^majordomo_notifications_sent_total\{channel="hook"\} 1$/m
    await vi.waitFor(async () => expect(await metrics()).toMatch(sent), WAIT)
    await gateway.stop()
    expect(receiver.received.map(({ json }) => json["subject"])).toEqual([id])
  } finally {
    await installation.remove()
    await receiver.close()
    await provider.close()
  }
})
