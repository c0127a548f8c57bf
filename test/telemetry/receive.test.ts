import { readFileSync } from "node:fs"
import { gzipSync } from "node:zlib"
import { expect, test } from "vitest"
import { LOGS } from "../../src/telemetry/otlp/messages.ts"
import { decode, encode } from "../../src/telemetry/otlp/wire.ts"
import { decompress, parseLogs, toErrorBody, toLogsAnswer } from "../../src/telemetry/receive/body.ts"
import { toEventId } from "../../src/telemetry/receive/event-id.ts"
import { readLogs } from "../../src/telemetry/receive/read-logs.ts"
import { decodeAs, encodeAs } from "../support/otlp-receiver.ts"

/** What the agents sent on 2026-11-29, without the events that have no usage. */
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/otlp/${name}.json`, import.meta.url), "utf8"))
const NOW = Date.parse("2026-11-29T12:00:00Z")
const CLAUDE = read("claude-code-2.1.197")
const CODEX = read("codex-0.171.0")

type Attribute = { readonly key: string; readonly value: object }

/** Returns the recorded logs with other attributes of the event of usage. */
function change(logs: typeof CLAUDE, changes: Readonly<Record<string, object | undefined>>) {
  const copy = structuredClone(logs)
  const record = copy.resourceLogs[0].scopeLogs[0].logRecords.at(-1)
  const isUsage = ({ attributes }: { readonly attributes: Attribute[] }) =>
    attributes.some(({ key }) => key === "input_tokens" || key === "input_token_count")
  const found = copy.resourceLogs[0].scopeLogs[0].logRecords.find(isUsage) ?? record
  found.attributes = [
    ...found.attributes.filter(({ key }: Attribute) => !(key in changes)),
    ...Object.entries(changes).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }])),
  ]
  return copy
}

const usageOf = (logs: unknown) => readLogs(logs as never, NOW).reported.map(({ usage }) => usage)

test("Claude Code's event of a request is its usage, with the provider's id of the request", () => {
  const [usage, ...others] = usageOf(CLAUDE)
  expect(others).toEqual([])
  expect(usage).toMatchObject({
    client: "claude-code/2.1",
    provider: "anthropic",
    model: "claude-opus-4-8",
    session: "0b3088bf-e9d1-447b-a0d5-9beaff4eb753",
    endedAt: Date.parse("2026-11-29T10:46:15.282Z"),
    durationMs: 176,
    tokens: { input: 3153, cacheRead: 0, cacheWrite: 0, output: 11, reasoning: 0 },
    requestId: "req_011FakeOfTheProvider",
    billing: undefined,
    speed: undefined,
  })
  expect(usage?.evidence).toMatchObject({
    event: "claude_code.api_request",
    cost_usd: 0.016040000000000002,
    "event.sequence": 1,
  })
})

test("Codex's event of a completed response is its usage, with the counts that it sends as text", () => {
  const [usage, ...others] = usageOf(CODEX)
  expect(others).toEqual([])
  expect(usage).toMatchObject({
    client: "codex/0.171",
    provider: "openai",
    model: "gpt-5.1",
    session: "01a226e9-959e-7bd1-a820-925ec46adbb8",
    tokens: { input: 5009, cacheRead: 0, cacheWrite: 0, output: 11, reasoning: 0 },
    requestId: undefined,
    billing: undefined,
  })
})

test("a login of ChatGPT is a subscription", () => {
  const [usage] = usageOf(change(CODEX, { auth_mode: { stringValue: "Chatgpt" } }))
  expect(usage).toMatchObject({ provider: "chatgpt", billing: "subscription" })
})

test("Claude Code's events do not say how they are paid, so that the operator can", () => {
  const paid = { "majordomo.billing": { stringValue: "subscription" } }
  expect(usageOf(change(CLAUDE, paid))[0]).toMatchObject({ billing: "subscription" })
})

test.each([
  ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"],
  ["claude-sonnet-4-5@20250929", "vertex", "claude-sonnet-4-5@20250929"],
  ["claude-opus-4-8[1m]", "anthropic", "claude-opus-4-8"],
])("the model %s is of %s", (model, provider, name) => {
  expect(usageOf(change(CLAUDE, { model: { stringValue: model } }))[0]).toMatchObject({ provider, model: name })
})

test("tokens of a cache are apart from other input, as each agent counts them", () => {
  const claude = change(CLAUDE, {
    input_tokens: { intValue: "7" },
    cache_read_tokens: { intValue: "900" },
    cache_creation_tokens: { intValue: "93" },
  })
  expect(usageOf(claude)[0]?.tokens).toMatchObject({ input: 7, cacheRead: 900, cacheWrite: 93 })
  const codex = change(CODEX, {
    input_token_count: { stringValue: "1000" },
    cached_token_count: { intValue: "900" },
    reasoning_token_count: { intValue: "5" },
  })
  expect(usageOf(codex)[0]?.tokens).toEqual({ input: 100, cacheRead: 900, cacheWrite: 0, output: 6, reasoning: 5 })
})

test.each([
  [{ model: undefined }, "model is missing"],
  [{ input_tokens: { stringValue: "many" } }, "input_tokens is no count of tokens"],
  [{ output_tokens: { intValue: "-5" } }, "output_tokens is no count of tokens"],
  [{ "event.timestamp": { stringValue: "2026-10-01T00:00:00Z" } }, "the event is older than 30 days"],
])("an event with %o is rejected: %s", (changes, reason) => {
  expect(readLogs(change(CLAUDE, changes), NOW)).toMatchObject({ reported: [], rejected: 1, reason })
})

test.each([
  [null],
  [{}],
  [{ resourceLogs: "x" }],
  [{ resourceLogs: [{ scopeLogs: [{ logRecords: [7, { attributes: [null] }] }] }] }],
])("other messages have no usage: %j", (message) => {
  expect(readLogs((message ?? {}) as never, NOW)).toEqual({ reported: [], rejected: 0, reason: undefined })
})

test("the same report has the same id, which begins with its time, and another report has another one", () => {
  const [one] = usageOf(CLAUDE)
  const [again] = usageOf(structuredClone(CLAUDE))
  const [other] = usageOf(change(CLAUDE, { "event.sequence": { intValue: 2 } }))
  expect(toEventId(one!)).toBe(toEventId(again!))
  expect(toEventId(one!)).not.toBe(toEventId(other!))
  expect(toEventId(one!)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(Number.parseInt(toEventId(one!).replaceAll("-", "").slice(0, 12), 16)).toBe(one!.endedAt)
})

test("logs that another library has written in protobuf are read as those in JSON", () => {
  const withBytes = structuredClone(CLAUDE)
  const bytes = encodeAs("Logs", withBytes)
  expect(usageOf(parseLogs(Buffer.from(bytes), "application/x-protobuf"))).toEqual(usageOf(CLAUDE))
})

test("what the gateway writes in protobuf, another library reads", () => {
  const message = {
    resourceLogs: [{ scopeLogs: [{ logRecords: [{ traceId: "00ff".repeat(8), timeUnixNano: "123" }] }] }],
  }
  expect(decode(LOGS, encode(LOGS, message))).toEqual(message)
  const answer = decodeAs("Answer", toLogsAnswer("application/x-protobuf", 3, "model is missing"))
  expect(answer).toEqual({ partialSuccess: { rejected: "3", errorMessage: "model is missing" } })
  expect(decodeAs("RpcStatus", toErrorBody("application/x-protobuf", 401, "no"))).toEqual({ code: 16, message: "no" })
})

test.each([
  ["truncated", Buffer.from([0x0a, 0x7f, 0x01])],
  ["no protobuf", Buffer.from("hello")],
  ["nested too deep", nest(200)],
])("bytes that are %s are no message", (_, bytes) => {
  expect(() => parseLogs(bytes, "application/x-protobuf")).toThrow("the body is no OTLP message of logs")
})

/** Returns logs whose body is a list in a list, and so on. */
function nest(depth: number): Buffer {
  let value: object = { stringValue: "x" }
  for (let i = 0; i < depth; i++) value = { arrayValue: { values: [value] } }
  return Buffer.from(encode(LOGS, { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: value }] }] }] }))
}

test("a body that is small only while it is compressed is rejected before it fills the memory", async () => {
  const bomb = gzipSync(Buffer.alloc(50 << 20))
  await expect(decompress(bomb, "gzip", 1 << 20)).rejects.toMatchObject({ status: 413 })
  await expect(decompress(Buffer.from("x"), "gzip", 1 << 20)).rejects.toMatchObject({ status: 400 })
  await expect(decompress(Buffer.from("x"), "br", 1 << 20)).rejects.toMatchObject({ status: 415 })
})
