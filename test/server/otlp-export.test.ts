import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { loadSettings } from "../../src/server/settings.ts"
import { type RunningServer, startServer } from "../../src/server/start.ts"
import { type FakeProvider, SCRIPT_HEADER, startFakeProvider } from "../support/fake-provider.ts"
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts"
import { createTestDatabase } from "../support/postgres.ts"

const WAIT = { timeout: 120_000, interval: 20 }
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
let provider: FakeProvider
let receiver: OtlpReceiver
let server: RunningServer
let sql: pg.Client
const dir = mkdtempSync(join(tmpdir(), "mdm-otlp-"))

beforeAll(async () => {
  ;[provider, receiver] = await Promise.all([startFakeProvider(), startOtlpReceiver()])
  const { url } = await createTestDatabase()
  sql = new pg.Client({ connectionString: url })
  await sql.connect()
  const env = {
    DATABASE_URL: url,
    MAJORDOMO_STORAGE_DATA_DIR: dir,
    MAJORDOMO_SERVER_PORT: "0",
    MAJORDOMO_PRICING_REMOTE_URL: "",
    MAJORDOMO_TELEMETRY_OTLP_METADATA: "feature",
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.origin,
    OTEL_EXPORTER_OTLP_HEADERS: "x-team=a%20b",
    OTEL_SERVICE_NAME: "gateway-of-the-test",
    ...Object.fromEntries(
      ["OPENAI", "ANTHROPIC", "GEMINI", "BEDROCK"].map((name) => [
        `MAJORDOMO_PROVIDERS_${name}_BASE_URL`,
        provider.origin,
      ]),
    ),
  }
  const { settings } = await loadSettings({ cwd: dir, env })
  server = await startServer({ settings, log: () => {}, onRecord: () => {} })
}, 120_000)

afterAll(async () => {
  await Promise.all([server.stop(), provider.close(), receiver.close(), sql.end()])
  rmSync(dir, { recursive: true, force: true })
})

async function ask(path: string, body: object, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-majordomo-key": server.firstKey!,
      "x-majordomo-feature": "search",
      authorization: "Bearer sk-of-the-client-0123456789",
      ...headers,
    },
    body: JSON.stringify(body),
  })
  await response.text().catch(() => {})
  return response.status
}

test("each row has one span that equals it: all dialects, streams, errors and cut streams", async () => {
  const messages = [{ role: "user", content: "hello" }]
  const gemini = { contents: [{ parts: [{ text: "hello" }] }] }
  await ask(
    "/v1/chat/completions",
    { model: "gpt-4o-mini", messages },
    { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` },
  )
  await ask("/v1/chat/completions", { model: "gpt-4o-mini", messages, stream: true })
  await ask("/v1/responses", { model: "gpt-4o-mini", input: "hello" })
  await ask(
    "/v1/messages",
    { model: "claude-sonnet-4-5", max_tokens: 9, messages },
    { "anthropic-version": "2023-06-01" },
  )
  await ask("/v1beta/models/gemini-2.5-flash:generateContent", gemini)
  await ask("/v1/chat/completions", { model: "no-such-model", messages })
  await ask("/v1/chat/completions", { model: "gpt-4o", messages }, { [SCRIPT_HEADER]: JSON.stringify({ status: 500 }) })
  await ask(
    "/v1/chat/completions",
    { model: "gpt-4o", messages, stream: true },
    { [SCRIPT_HEADER]: JSON.stringify({ breakAfterPieces: 2 }) },
  )
  const { rows } = await vi.waitFor(async () => {
    const found = await sql.query(
      "SELECT r.*, k.name AS key FROM llm_requests r JOIN api_keys k ON k.id = majordomo_api_key_id",
    )
    expect(found.rows).toHaveLength(8)
    return found
  }, WAIT)
  await vi.waitFor(() => expect(receiver.spans()).toHaveLength(8), WAIT)
  const spans = new Map(receiver.spans().map((span) => [span.attributes["majordomo.request.id"], span]))
  for (const row of rows) {
    const span = spans.get(row.id)!
    expect(span.spanId).toBe(row.id.replaceAll("-", "").slice(16))
    expect(span.start).toBe(row.requested_at.getTime())
    expect(span.end).toBe(row.responded_at.getTime())
    const { attributes } = span
    expect(attributes).toMatchObject({
      "majordomo.outcome": row.outcome,
      "majordomo.cost.status": row.cost_status,
      "majordomo.key.name": row.key,
      "majordomo.metadata.Feature": "search",
      "server.address": "127.0.0.1",
      "server.port": provider.port,
      "http.response.status_code": row.status_code,
    })
    const measured = row.usage_source !== "none"
    expect(attributes["gen_ai.usage.input_tokens"]).toBe(measured ? Number(row.input_tokens) : undefined)
    expect(attributes["gen_ai.usage.output_tokens"]).toBe(measured ? Number(row.output_tokens) : undefined)
    expect(attributes["gen_ai.usage.cache_read.input_tokens"]).toBe(measured ? Number(row.cached_tokens) : undefined)
    expect(attributes["majordomo.cost.usd"]).toBe(row.total_cost === null ? undefined : Number(row.total_cost))
  }
  expect(receiver.spans().filter(({ traceId }) => traceId === TRACE)).toHaveLength(1)
  expect(new Set(rows.map(({ outcome }) => outcome))).toEqual(new Set(["complete", "upstream_broke"]))
  expect(receiver.exports[0]?.headers["x-team"]).toBe("a b")
  const resource = JSON.stringify(receiver.exports[0]?.message.resourceSpans[0].resource)
  expect(resource).toContain("gateway-of-the-test")
  expect(JSON.stringify(receiver.exports)).not.toContain("hello")
})

const CHAT = {
  ...{ model: "gpt-4o-mini", temperature: 0.2, top_p: 0.9, max_completion_tokens: 99, seed: 7, n: 2, stop: "END" },
  ...{ frequency_penalty: 0.5, presence_penalty: -0.5, response_format: { type: "json_object" } },
  messages: [{ role: "user", content: "SECRET" }],
}
const OF_CHAT = {
  "gen_ai.request.temperature": 0.2,
  "gen_ai.request.top_p": 0.9,
  "gen_ai.request.max_tokens": 99,
  "gen_ai.request.seed": 7,
  "gen_ai.request.choice.count": 2,
  "gen_ai.request.stop_sequences": ["END"],
  "gen_ai.request.frequency_penalty": 0.5,
  "gen_ai.request.presence_penalty": -0.5,
  "gen_ai.output.type": "json",
  "gen_ai.response.id": expect.stringMatching(/^chatcmpl-/),
  "gen_ai.response.finish_reasons": ["stop"],
}
const RESPONSE = { model: "gpt-4o-mini", input: "SECRET", max_output_tokens: 50, text: { format: { type: "text" } } }
const OF_RESPONSE = {
  "gen_ai.request.max_tokens": 50,
  "gen_ai.output.type": "text",
  "gen_ai.response.id": expect.stringMatching(/^resp_/),
  "gen_ai.response.finish_reasons": ["completed"],
}
const MESSAGE = {
  ...{ model: "claude-sonnet-4-5", max_tokens: 9, temperature: 1, top_k: 40, stop_sequences: ["A", "B"] },
  messages: [{ role: "user", content: "SECRET" }],
}
const OF_MESSAGE = {
  "gen_ai.request.max_tokens": 9,
  "gen_ai.request.temperature": 1,
  "gen_ai.request.top_k": 40,
  "gen_ai.request.stop_sequences": ["A", "B"],
  "gen_ai.response.id": expect.stringMatching(/^msg_/),
  "gen_ai.response.finish_reasons": ["end_turn"],
}
const GENERATE = {
  contents: [{ parts: [{ text: "SECRET" }] }],
  generationConfig: { temperature: 0, topK: 3, maxOutputTokens: 8, seed: 5, responseMimeType: "application/json" },
}
const OF_GENERATE = {
  "gen_ai.request.temperature": 0,
  "gen_ai.request.top_k": 3,
  "gen_ai.request.max_tokens": 8,
  "gen_ai.request.seed": 5,
  "gen_ai.output.type": "json",
  "gen_ai.response.id": expect.stringMatching(/./),
  "gen_ai.response.finish_reasons": ["STOP"],
}
const CONVERSE = {
  messages: [{ role: "user", content: [{ text: "SECRET" }] }],
  inferenceConfig: { maxTokens: 12, temperature: 0.5, topP: 1, stopSequences: ["Z"] },
}
const OF_CONVERSE = {
  "gen_ai.request.max_tokens": 12,
  "gen_ai.request.temperature": 0.5,
  "gen_ai.request.top_p": 1,
  "gen_ai.request.stop_sequences": ["Z"],
  "gen_ai.response.finish_reasons": ["end_turn"],
}
const GEMINI = "/v1beta/models/gemini-2.5-flash"

const LARGE = { ...CHAT, messages: [{ role: "user", content: "SECRET".repeat(1_000_000) }] }
/** What describes a request and its answer, without what the test before has compared. */
const DESCRIPTIVE = /^gen_ai\.(?:request\.(?!model|stream)|output\.type|response\.(?:id|finish))/

test("spans have the parameters of the request, the id of the answer, and why it ended: all dialects, whole and streamed", async () => {
  const cases = [
    ["/v1/chat/completions", CHAT, OF_CHAT],
    ["/v1/chat/completions", { ...CHAT, stream: true }, OF_CHAT],
    // A body of this size is in a file.
    ["/v1/chat/completions", LARGE, OF_CHAT],
    ["/v1/responses", RESPONSE, OF_RESPONSE],
    ["/v1/responses", { ...RESPONSE, stream: true }, OF_RESPONSE],
    ["/v1/messages", MESSAGE, OF_MESSAGE],
    ["/v1/messages", { ...MESSAGE, stream: true }, OF_MESSAGE],
    [`${GEMINI}:generateContent`, GENERATE, OF_GENERATE],
    [`${GEMINI}:streamGenerateContent`, GENERATE, OF_GENERATE],
    [`${GEMINI}:streamGenerateContent?alt=sse`, GENERATE, OF_GENERATE],
    ["/model/amazon.nova-lite-v1:0/converse", CONVERSE, OF_CONVERSE],
    ["/model/amazon.nova-lite-v1:0/converse-stream", CONVERSE, OF_CONVERSE],
  ] as const
  const before = receiver.spans().length
  for (const [path, body] of cases) await ask(path, body, { "anthropic-version": "2023-06-01" })
  await vi.waitFor(() => expect(receiver.spans()).toHaveLength(before + cases.length), WAIT)
  const found = receiver.spans().slice(before)
  for (const [index, [path, , expected]] of cases.entries()) {
    const described = Object.entries(found[index]!.attributes).filter(([name]) => DESCRIPTIVE.test(name))
    expect([path, Object.fromEntries(described)]).toEqual([path, expected])
  }
  expect(JSON.stringify(receiver.exports)).not.toContain("SECRET")
})

test("what waits when the gateway stops is exported, and its counters are metrics", async () => {
  const before = receiver.spans().length
  await ask("/v1/chat/completions", { model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] })
  await server.stop()
  expect(receiver.spans()).toHaveLength(before + 1)
  expect(receiver.metrics()["majordomo.cost"]?.points.length).toBeGreaterThan(0)
  const metrics = Object.fromEntries(server.collect().map(({ name, samples }) => [name, samples[0]?.value]))
  expect(metrics["majordomo_otlp_spans_exported_total"]).toBe(before + 1)
  expect(metrics["majordomo_otlp_spans_waiting"]).toBe(0)
})
