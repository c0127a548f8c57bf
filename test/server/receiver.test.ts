import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import pg from "pg"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { loadSettings } from "../../src/server/settings.ts"
import { type RunningServer, startServer } from "../../src/server/start.ts"
import { type FakeProvider, SCRIPT_HEADER, startFakeProvider } from "../support/fake-provider.ts"
import { decodeAs, encodeAs } from "../support/otlp-receiver.ts"
import { createTestDatabase } from "../support/postgres.ts"

const WAIT = { timeout: 120_000, interval: 20 }
const read = (name: string) => readFileSync(new URL(`../fixtures/otlp/${name}.json`, import.meta.url), "utf8")
let provider: FakeProvider
let sql: pg.Client
/** Two gateways of one database. */
const servers: RunningServer[] = []
const dirs: string[] = []

beforeAll(async () => {
  provider = await startFakeProvider()
  const { url } = await createTestDatabase()
  sql = new pg.Client({ connectionString: url })
  await sql.connect()
  for (let i = 0; i < 2; i++) {
    const dir = mkdtempSync(join(tmpdir(), "mdm-receiver-"))
    dirs.push(dir)
    const env = {
      DATABASE_URL: url,
      MAJORDOMO_STORAGE_DATA_DIR: dir,
      MAJORDOMO_SERVER_PORT: "0",
      MAJORDOMO_PRICING_REMOTE_URL: "",
      MAJORDOMO_TELEMETRY_RECEIVER_ENABLED: "true",
      MAJORDOMO_TELEMETRY_RECEIVER_MAX_BODY_SIZE: "1MiB",
      MAJORDOMO_PROVIDERS_ANTHROPIC_BASE_URL: provider.origin,
      MAJORDOMO_PROVIDERS_OPENAI_BASE_URL: provider.origin,
    }
    const { settings } = await loadSettings({ cwd: dir, env })
    servers.push(await startServer({ settings, log: () => {}, onRecord: () => {} }))
  }
}, 120_000)

afterAll(async () => {
  await Promise.all([...servers.map((server) => server.stop()), provider.close()])
  await sql.end()
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
})

interface Post {
  readonly gateway?: number
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
}

function post(body: string | Uint8Array, { gateway = 0, path = "/v1/logs", headers = {} }: Post = {}) {
  return fetch(`http://127.0.0.1:${servers[gateway]!.port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${servers[0]!.firstKey}`, ...headers },
    body: Buffer.from(body),
  })
}

/** The recorded event of Claude Code, now, with changes. */
function aReport(changes: Readonly<Record<string, unknown>> = {}, name = "claude-code-2.1.197"): string {
  const logs = JSON.parse(read(name))
  const values = { "event.timestamp": new Date().toISOString(), ...changes }
  for (const record of logs.resourceLogs[0].scopeLogs[0].logRecords) {
    for (const attribute of record.attributes) {
      const value = values[attribute.key as keyof typeof values] as unknown
      if (value !== undefined)
        attribute.value = typeof value === "number" ? { intValue: value } : { stringValue: value }
    }
  }
  return JSON.stringify(logs)
}

const settled = () =>
  vi.waitFor(() => {
    for (const server of servers) expect(server.stats()).toMatchObject({ waiting: 0, dropped: 0, rejected: 0 })
  }, WAIT)

async function rowsOf(session: string) {
  await settled()
  const { rows } = await sql.query(
    "SELECT * FROM llm_requests_full WHERE raw_metadata ->> 'Session-Id' = $1 ORDER BY source",
    [session],
  )
  return rows
}

test("a report becomes a row: priced by the gateway, with the evidence, the key, the user, the session and the team", async () => {
  const session = "session-of-a-report"
  const answer = await post(aReport({ "session.id": session }), { headers: { "x-majordomo-feature": "agents" } })
  expect([answer.status, await answer.text()]).toEqual([200, "{}"])
  const [row] = await rowsOf(session)
  expect(row).toMatchObject({
    source: "telemetry",
    provider: "anthropic",
    model: "claude-opus-4-8",
    request_path: "/v1/logs",
    input_tokens: "3153",
    output_tokens: "11",
    response_time_ms: 0,
    cost_status: "estimated",
    usage_source: "reported",
    provider_request_id: "req_011FakeOfTheProvider",
    outcome: "complete",
    status_code: 200,
    billing: null,
    raw_metadata: { Client: "claude-code/2.1", "Session-Id": session, "Team-Id": "platform", Feature: "agents" },
  })
  expect(row.usage).toMatchObject({ cost_usd: 0.016040000000000002, duration_ms: 176 })
  expect(row.responded_at.getTime() - row.requested_at.getTime()).toBe(176)
  expect(row.majordomo_api_key_id).not.toBeNull()
  // 3,153 tokens at $5 and 11 at $25 per million.
  expect(Number(row.total_cost)).toBe(0.01604)
})

test("attributes of the resource are metadata in their own writing, and those of the machine are not", async () => {
  const session = "session-in-zürich"
  const logs = JSON.parse(aReport({ "session.id": session, request_id: "req_zurich" }))
  logs.resourceLogs[0].resource.attributes.push(
    { key: "cost_center", value: { stringValue: "Zürich 日本\n2" } },
    { key: "majordomo.billing", value: { stringValue: "subscription" } },
  )
  await post(JSON.stringify(logs))
  const [row] = await rowsOf(session)
  expect(row.billing).toBe("subscription")
  expect(Object.keys(row.raw_metadata).sort()).toEqual(["Client", "Cost-Center", "Session-Id", "Team-Id", "User-Id"])
  expect(row.raw_metadata["Cost-Center"]).toBe("Zürich 日本 2")
})

test("in protobuf with gzip, and with the key in X-Majordomo-Key, it is the same", async () => {
  const session = "session-in-protobuf"
  const bytes = encodeAs("Logs", JSON.parse(aReport({ "session.id": session, request_id: "req_protobuf" })))
  const headers = {
    "content-type": "application/x-protobuf",
    "content-encoding": "gzip",
    authorization: "",
    "x-majordomo-key": servers[0]!.firstKey!,
  }
  const answer = await post(gzipSync(bytes), { headers })
  expect([answer.status, decodeAs("Answer", new Uint8Array(await answer.arrayBuffer()))]).toEqual([200, {}])
  expect(await rowsOf(session)).toHaveLength(1)
})

test("a batch that an exporter repeats, also at another gateway, is one row", async () => {
  const session = "session-that-is-repeated"
  const report = aReport({ "session.id": session, request_id: "req_repeated" })
  for (const gateway of [0, 1, 0]) expect((await post(report, { gateway })).status).toBe(200)
  expect(await rowsOf(session)).toHaveLength(1)
})

/** A request of Claude Code through a gateway. Returns the row's tokens as the agent reports them. */
async function relay(session: string, requestId: string, gateway = 0): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${servers[gateway]!.port}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "anthropic-version": "2023-06-01",
      "x-majordomo-key": servers[0]!.firstKey!,
      "x-claude-code-session-id": session,
      [SCRIPT_HEADER]: JSON.stringify({
        headers: ["request-id", requestId],
        tokens: { input: 50, cached: 0, output: 7 },
      }),
    },
    body: JSON.stringify({ model: "claude-opus-4-8", max_tokens: 9, messages: [{ role: "user", content: "hello" }] }),
  })
  expect(answer.status).toBe(200)
  expect(answer.headers.get("request-id")).toBe(requestId)
  await answer.text()
}

test.each([
  ["the request first", true],
  ["the report first", false],
])(
  "a request that passed through one gateway and is reported to another one is counted once: %s",
  async (name, isFirst) => {
    const [session, id] = [`relayed, ${name}`, `req_${isFirst}`]
    const report = () => post(aReport({ "session.id": session, request_id: id }), { gateway: 1 })
    if (isFirst) await relay(session, id)
    await settled()
    expect((await report()).status).toBe(200)
    await settled()
    if (!isFirst) await relay(session, id)
    const rows = await rowsOf(session)
    expect(rows.map(({ source }) => source)).toEqual([null])
    expect(rows[0]).toMatchObject({ provider_request_id: id })
  },
)

test("an event without the provider's id is recognized by its session and tokens", async () => {
  const session = "session-without-ids"
  await relay(session, "req_that_is_not_reported")
  const { rows } = await vi.waitFor(async () => {
    const found = await sql.query("SELECT * FROM llm_requests_full WHERE raw_metadata ->> 'Session-Id' = $1", [session])
    expect(found.rows).toHaveLength(1)
    return found
  }, WAIT)
  const [{ input_tokens, cached_tokens, output_tokens }] = rows
  const counts = { input_tokens: Number(input_tokens) - Number(cached_tokens), output_tokens: Number(output_tokens) }
  await post(aReport({ "session.id": session, request_id: "", cache_read_tokens: Number(cached_tokens), ...counts }))
  expect(await rowsOf(session)).toHaveLength(1)
  // The next request of the session has more tokens, and did not pass through the gateway.
  await post(aReport({ "session.id": session, request_id: "", ...counts, input_tokens: 77_777 }))
  expect(await rowsOf(session)).toHaveLength(2)
})

test("Codex's reports are rows too", async () => {
  const session = "session-of-codex"
  expect((await post(aReport({ "conversation.id": session }, "codex-0.171.0"))).status).toBe(200)
  const [row] = await rowsOf(session)
  expect(row).toMatchObject({ source: "telemetry", provider: "openai", model: "gpt-5.1", input_tokens: "5009" })
  expect(row.raw_metadata).toMatchObject({ Client: "codex/0.171" })
})

test("an incomplete event is rejected, and the others of its batch are stored", async () => {
  const session = "session-of-a-part"
  const logs = JSON.parse(aReport({ "session.id": session, request_id: "req_part" }))
  const bad = JSON.parse(aReport({ input_tokens: "many" }))
  logs.resourceLogs.push(...bad.resourceLogs)
  const answer = await post(JSON.stringify(logs))
  expect(await answer.json()).toEqual({
    partialSuccess: { rejectedLogRecords: "1", errorMessage: "input_tokens is no count of tokens" },
  })
  expect(await rowsOf(session)).toHaveLength(1)
})

test("a model whose name every object has is a model without a price", async () => {
  for (const model of ["__proto__", "constructor"]) {
    const session = `session of ${model}`
    const answer = await post(aReport({ "session.id": session, model, request_id: `req_of_${model}` }))
    expect([answer.status, await answer.text()]).toEqual([200, "{}"])
    expect(await rowsOf(session)).toMatchObject([{ model, cost_status: "unpriced", total_cost: null }])
  }
})

test.each(["/v1/traces", "/v1/metrics"])("%s is accepted, and ignored", async (path) => {
  expect([(await post("{}", { path })).status]).toEqual([200])
})

test.each([
  ["no key", "{}", { authorization: "" }, 401],
  ["an unknown key", "{}", { authorization: "Bearer mdm_sk_0000000000000000000000" }, 401],
  ["another type", "{}", { "content-type": "text/plain" }, 415],
  ["another coding", "{}", { "content-encoding": "br" }, 415],
  ["no JSON", "{", {}, 400],
  ["a body that is too large", "x".repeat(2 << 20), {}, 413],
  ["a bomb", gzipSync(Buffer.alloc(20 << 20)), { "content-encoding": "gzip" }, 413],
] as const)("%s is an error in the form of OTLP", async (_, body, headers, status) => {
  const answer = await post(body, { headers })
  expect(answer.status).toBe(status)
  expect(await answer.json()).toEqual({ code: expect.any(Number), message: expect.any(String) })
})

test("reports count in usage and in no latency, and /metrics counts them apart", async () => {
  await settled()
  const { rows } = await sql.query(
    "SELECT count(*)::int AS reports, sum(majordomo_latency(outcome, response_time_ms)) AS latencies FROM llm_requests WHERE source = 'telemetry'",
  )
  expect(rows[0].latencies).toBeNull()
  const report = async (query: string) => (await sql.query(query)).rows[0]
  const totals = "SELECT sum(requests)::int AS requests FROM llm_usage_daily"
  expect(await report(totals)).toEqual(await report("SELECT count(*)::int AS requests FROM llm_requests"))
  const metrics = servers[0]!.collect()
  const events = metrics.find(({ name }) => name === "majordomo_telemetry_events_total")
  expect(events?.samples.find(({ labels }) => JSON.stringify(labels).includes("accepted"))?.value).toBeGreaterThan(0)
  const requests = metrics.find(({ name }) => name === "majordomo_requests_total")!
  const relayed = requests.samples.reduce((sum, { value }) => sum + value, 0)
  expect(relayed).toBe(provider.exchanges.length)
})
