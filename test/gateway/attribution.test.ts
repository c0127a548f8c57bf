import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import OpenAI from "openai"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { KeyMetadata } from "../../src/core/call.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const SESSION = "54c1eb09-bc4c-4d2f-98eb-6d2ab2d5e2fe"
const ACCOUNT = "0199f3c2-7a51-7b3e-9c1d-2f4e5a6b7c8d"
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`

let provider: FakeProvider
let pipeline: Pipeline

beforeAll(async () => {
  provider = await startFakeProvider()
  pipeline = await startPipeline({ upstream: provider.origin })
})

afterAll(async () => {
  await pipeline.close()
  await provider.close()
})

interface Sent {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly to?: Pipeline
}

/** Sends a request with a provider's credential. Returns the metadata of its row. */
async function metadataOf({ path = "/v1/chat/completions", headers, body, to = pipeline }: Sent) {
  const answer = await fetch(`${to.origin}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: "Bearer sk-test",
      "x-majordomo-key": KEY,
      ...headers,
    },
    body: JSON.stringify(body ?? { model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] }),
  })
  await answer.arrayBuffer()
  return { ...(await to.nextRecord()).raw_metadata }
}

const messages = (user_id: string) => ({
  path: "/v1/messages",
  body: { model: "claude-sonnet-4-5", max_tokens: 10, messages: [], metadata: { user_id } },
})

describe("the heads and bodies of agents", () => {
  test("Claude Code names its account and its session in metadata.user_id and a header", async () => {
    const user_id = JSON.stringify({ device_id: "a1".repeat(32), account_uuid: ACCOUNT, session_id: SESSION })
    const headers = { "user-agent": "claude-cli/2.1.88 (external, cli)", "x-claude-code-session-id": SESSION }
    expect(await metadataOf({ ...messages(user_id), headers })).toEqual({
      Client: "claude-code/2.1",
      "User-Id": ACCOUNT,
      "Session-Id": SESSION,
    })
  })

  test("older versions of Claude Code compose them in one text, with the device if there is no account", async () => {
    const headers = { "user-agent": "claude-cli/2.0.67 (external, cli)" }
    const of = async (account: string) =>
      metadataOf({ ...messages(`user_${"a1".repeat(32)}_account_${account}_session_${SESSION}`), headers })
    expect(await of(ACCOUNT)).toEqual({ Client: "claude-code/2.0", "User-Id": ACCOUNT, "Session-Id": SESSION })
    expect(await of("")).toMatchObject({ "User-Id": "a1".repeat(32), "Session-Id": SESSION })
  })

  test.each([
    [{ session_id: SESSION, conversation_id: SESSION }, { prompt_cache_key: SESSION }],
    [{ "session-id": SESSION, "thread-id": ACCOUNT }, { prompt_cache_key: ACCOUNT }],
    [{}, { prompt_cache_key: SESSION }],
  ])("Codex names its session in headers of two generations and as prompt_cache_key: %j", async (headers, more) => {
    const agent = {
      "user-agent": "codex_cli_rs/0.153.0 (Ubuntu 24.4.0; x86_64) xterm-256color",
      originator: "codex_cli_rs",
    }
    const body = { model: "gpt-5-codex", input: "hi", ...more }
    expect(await metadataOf({ path: "/v1/responses", headers: { ...agent, ...headers }, body })).toEqual({
      Client: "codex/0.153",
      "Session-Id": SESSION,
    })
  })

  test.each([
    [
      {
        "user-agent": "opencode/1.18.31 ai-sdk/provider-utils/4.0.40 runtime/bun/1.3.14",
        "x-session-id": "ses_1",
        "x-session-affinity": "ses_1",
      },
    ],
    [{ "user-agent": "opencode/1.18.31", "x-opencode-session": "ses_1" }],
  ])("opencode names its session in a header: %j", async (headers) => {
    expect(await metadataOf({ headers })).toEqual({ Client: "opencode/1.18", "Session-Id": "ses_1" })
  })

  test("Gemini CLI names its installation, and no session", async () => {
    const headers = {
      "user-agent": "GeminiCLI/0.56.0/gemini-2.5-pro (linux; x64; terminal)",
      "x-gemini-api-privileged-user-id": ACCOUNT,
      "x-goog-api-key": "AIza-test",
    }
    const path = "/v1beta/models/gemini-2.5-pro:generateContent"
    expect(await metadataOf({ path, headers, body: { contents: [] } })).toEqual({
      Client: "gemini-cli/0.56",
      "User-Id": ACCOUNT,
    })
  })

  test("Open WebUI is known by the headers with which it names its user and its chat", async () => {
    const headers = {
      "user-agent": "Python/3.12 aiohttp/3.14.5",
      "x-openwebui-user-id": "32222162-8bc7-4ac9-9ada-828bf08c114c",
      "x-openwebui-chat-id": "6ae82631-55d0-45aa-86cb-00e8fd9e6454",
    }
    expect(await metadataOf({ headers })).toEqual({
      Client: "open-webui",
      "User-Id": "32222162-8bc7-4ac9-9ada-828bf08c114c",
      "Session-Id": "6ae82631-55d0-45aa-86cb-00e8fd9e6454",
    })
  })

  test("a program that has the User-Agent of an SDK is known by its X-Title", async () => {
    const headers = { "user-agent": "OpenAI/Python 3.57.0", "x-title": "Aider", "http-referer": "https://aider.chat" }
    expect(await metadataOf({ headers })).toEqual({ Client: "aider" })
  })

  test("a title that every object has is none of a program", async () => {
    for (const title of ["constructor", "__proto__", "toString"]) {
      const headers = { "user-agent": "OpenAI/Python 3.57.0", "x-title": title }
      expect(await metadataOf({ headers })).toEqual({ Client: "openai-python/3.57" })
    }
  })

  test.each([
    ["AsyncAzureOpenAI/Python 3.57.0", "openai-python/3.57"],
    ["AnthropicBedrock/JS 0.33.1", "anthropic-node/0.33"],
    ["google-genai-sdk/3.6.1 gl-python/3.11.2", "google-genai-python/3.6"],
    ["ai/5.0.216 ai-sdk/openai/2.0.1 runtime/node.js/22", "vercel-ai-sdk/5.0"],
    ["Boto3/1.44.8 md/Botocore#1.44.8 ua/2.1", "boto3/1.44"],
    ["litellm/1.110.2", "litellm/1.110"],
    ["curl/8.5.0", "curl/8.5"],
    ["python-requests/2.34.2", "python-requests/2.34"],
    ["Mozilla/5.0 (X11; Linux x86_64)", "browser"],
    [`Bot-${"x".repeat(90)}/1`, `bot-${"x".repeat(36)}`],
    ["sk-ant-api03-abcdefghijklmnopqrstuv", "other"],
  ])("the User-Agent %s is named %s", async (agent, name) => {
    expect(await metadataOf({ headers: { "user-agent": agent } })).toEqual({ Client: name })
  })

  test("Cursor is named by the header of its version", async () => {
    const headers = { "user-agent": "connect-es/1.6.1", "x-cursor-client-version": "0.50.7" }
    expect(await metadataOf({ headers })).toEqual({ Client: "cursor/0.50" })
  })
})

describe("the official SDKs", () => {
  const options = () => ({ maxRetries: 0, defaultHeaders: { "x-majordomo-key": KEY } })
  const row = async () => ({ ...(await pipeline.nextRecord()).raw_metadata })

  test("OpenAI's names its language, and its user, safety identifier and conversation are read", async () => {
    const client = new OpenAI({ apiKey: "sk-test", baseURL: `${pipeline.origin}/v1`, ...options() })
    await client.chat.completions.create({
      model: "gpt-4o-mini",
      messages: [],
      user: "u-1",
      metadata: { user_id: "u-2" },
    })
    expect(await row()).toEqual({ Client: expect.stringMatching(/^openai-node\/\d+\.\d+$/), "User-Id": "u-1" })
    const conversation = { id: "conv_1" }
    await client.responses.create({ model: "gpt-5", input: "hi", user: "u-1", safety_identifier: "u-3", conversation })
    expect(await row()).toMatchObject({ "User-Id": "u-3", "Session-Id": "conv_1" })
  })

  test("Anthropic's names its language, and a plain metadata.user_id is the user", async () => {
    const client = new Anthropic({ apiKey: "sk-ant-test", baseURL: pipeline.origin, ...options() })
    await client.messages.create({
      model: "claude-sonnet-4-5",
      max_tokens: 9,
      messages: [],
      metadata: { user_id: "u 1" },
    })
    expect(await row()).toEqual({ Client: expect.stringMatching(/^anthropic-node\/\d+\.\d+$/), "User-Id": "u 1" })
  })

  test("Google's names its language, and the labels of Vertex name user and session", async () => {
    const headers = { "x-majordomo-key": KEY }
    const ai = new GoogleGenAI({ apiKey: "AIza-test", httpOptions: { baseUrl: pipeline.origin, headers } })
    await ai.models.generateContent({ model: "gemini-2.5-flash", contents: "hi" })
    expect(await row()).toEqual({ Client: expect.stringMatching(/^google-genai-node\/\d+\.\d+$/) })
    const path = "/v1/projects/p/locations/us-central1/publishers/google/models/gemini-2.5-pro:generateContent"
    const body = { contents: [], labels: { user_id: "u-1", session: "s-1" } }
    const vertex = await metadataOf({ path, headers: { authorization: "Bearer ya29.test" }, body })
    expect(vertex).toMatchObject({ "User-Id": "u-1", "Session-Id": "s-1" })
  })

  test("AWS's requestMetadata of Converse names user and session", async () => {
    const body = { messages: [], requestMetadata: { userId: "u-1", sessionId: "s-1" } }
    const headers = { authorization: "Bearer ABSKown" }
    const bedrock = await metadataOf({ path: "/model/amazon.nova-lite-v1:0/converse", headers, body })
    expect(bedrock).toMatchObject({ "User-Id": "u-1", "Session-Id": "s-1" })
  })
})

describe("traces", () => {
  test("traceparent is the run, and baggage its user, session and span", async () => {
    const baggage = "user.id=Z%C3%BCrich,session.id=s%201;ttl=3, span.path=plan/search , span.name=search,other=1"
    expect(await metadataOf({ headers: { traceparent: TRACEPARENT, baggage } })).toMatchObject({
      "Trace-Id": TRACE,
      "User-Id": "Zürich",
      "Session-Id": "s 1",
      "Span-Path": "plan/search",
      "Span-Name": "search",
    })
  })

  test.each([
    `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `ff-${TRACE}-00f067aa0ba902b7-01`,
    `00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`,
    `00-${TRACE}-00f067aa0ba902b7-011`,
    "00-4bf92f35-00f067aa-01",
  ])("the invalid traceparent %s is ignored", async (traceparent) => {
    expect(await metadataOf({ headers: { traceparent } })).not.toHaveProperty("Trace-Id")
  })
})

describe("what wins", () => {
  test("a client's own metadata wins over everything that is read from its request", async () => {
    const headers = {
      traceparent: TRACEPARENT,
      "x-majordomo-client": "mine",
      "x-majordomo-user-id": "me",
      "x-majordomo-session-id": "s",
      "x-majordomo-trace-id": "t",
    }
    const body = { model: "gpt-4o-mini", messages: [], user: "u-1", prompt_cache_key: "k" }
    expect(await metadataOf({ headers, body })).toEqual({
      Client: "mine",
      "User-Id": "me",
      "Session-Id": "s",
      "Trace-Id": "t",
    })
  })

  test("credentials, control characters and half characters are not stored", async () => {
    const body = { model: "gpt-4o-mini", messages: [], user: "a\u0000\n\ud800b sk-abcdefghijklmnopqrstuvwxyz" }
    expect(await metadataOf({ body })).toMatchObject({ "User-Id": "a b ***" })
  })

  test("each can be turned off, and values are truncated to metadata.max_value_length", async () => {
    const off = { client: false, user: false, session: false, trace: false }
    const body = { model: "gpt-4o-mini", messages: [], user: "u-123456789", prompt_cache_key: "k" }
    const headers = { traceparent: TRACEPARENT }
    const all = await startPipeline({ upstream: provider.origin, settings: { attribution: off } })
    expect(await metadataOf({ headers, body, to: all })).toEqual({})
    await all.close()
    const settings = { attribution: { ...off, user: true }, maxMetadataValueLength: 5 }
    const user = await startPipeline({ upstream: provider.origin, settings })
    expect(await metadataOf({ headers, body, to: user })).toEqual({ "User-Id": "u-123" })
    expect(user.gateway.counters.metadataTruncated).toBe(1)
    await user.close()
  })

  test.each([
    ["plain", "u", 5000],
    ["plain", "u", 9000],
    ["of several bytes", "é", 3000],
    ["of four bytes", "😀", 3000],
    ["escaped", '"', 9000],
  ])("a long value of characters that are %s is truncated as a short one is: %j, %i times", async (_, part, count) => {
    const text = part.repeat(count)
    const expected = [...text].slice(0, part === "😀" ? 5 : 11).join("")
    const settings = { maxMetadataValueLength: 11 }
    const short = await startPipeline({ upstream: provider.origin, settings })
    for (const shift of ["", "a"]) {
      const body = {
        model: "gpt-4o-mini",
        user: shift + text,
        conversation: shift + text,
        metadata: { session_id: text },
      }
      const start = (shift + expected)
        .slice(0, 11)
        .replace(/[\ud800-\udbff]$/, "")
        .trim()
      const messages = [{ role: "user", content: "x".repeat(600_000) }]
      for (const more of [{ messages: [] }, { messages }]) {
        expect(await metadataOf({ body: { ...body, ...more }, to: short })).toMatchObject({
          "User-Id": start,
          "Session-Id": start,
        })
      }
    }
    expect(short.gateway.counters.metadataTruncated).toBe(8)
    await short.close()
  })

  test("the user in a form is read as well", async () => {
    const form = new FormData()
    form.set("model", "whisper-1")
    form.set("user", `u-form${"é".repeat(9000)}`)
    const headers = { authorization: "Bearer sk-test", "x-majordomo-key": KEY }
    const sent = await fetch(`${pipeline.origin}/v1/audio/transcriptions`, { method: "POST", headers, body: form })
    await sent.arrayBuffer()
    expect((await pipeline.nextRecord()).raw_metadata).toMatchObject({
      "User-Id": `u-form${"é".repeat(1018)}`,
    })
  })
})

describe("the metadata of a key", () => {
  const start = (metadata: KeyMetadata) =>
    startPipeline({ upstream: provider.origin, deps: { findCaller: () => ({ keyId: "k", metadata }) } })
  const NONE: KeyMetadata = { defaults: {}, locked: {}, required: [] }

  test("defaults stand in for what a request does not say, and locked values replace what it says", async () => {
    const defaults = { Team: "search", Feature: "chat", "User-Id": "nobody" }
    const keyed = await start({ ...NONE, defaults, locked: { "Cost-Center": "42", Client: "batch" } })
    const headers = { "x-majordomo-feature": "answer", "x-majordomo-cost-center": "7" }
    const body = { model: "gpt-4o-mini", messages: [], user: "u-1" }
    expect(await metadataOf({ headers, body, to: keyed })).toEqual({
      Team: "search",
      Feature: "answer",
      "User-Id": "u-1",
      "Cost-Center": "42",
      Client: "batch",
    })
    expect(keyed.gateway.counters.metadataOverridden).toBe(1)
    await keyed.close()
  })

  test.each([
    ["/v1/chat/completions", { error: { code: "missing_metadata", type: "invalid_request_error" } }],
    ["/v1/messages", { type: "error", error: { type: "invalid_request_error" } }],
    ["/v1beta/models/gemini-2.5-pro:generateContent", { error: { code: 400, status: "INVALID_ARGUMENT" } }],
  ])(
    "a request to %s without required metadata is rejected with the header to send, without a row",
    async (path, body) => {
      const keyed = await start({ ...NONE, required: ["Team"] })
      const before = provider.exchanges.length
      const headers = { "x-majordomo-key": KEY, authorization: "Bearer sk-test", "x-goog-api-key": "AIza-test" }
      const answer = await fetch(`${keyed.origin}${path}`, { method: "POST", headers, body: "{}" })
      expect(answer.status).toBe(400)
      const json = (await answer.json()) as { error: { message: string } }
      expect(json).toMatchObject(body)
      expect(json.error.message).toContain("Send it in the header X-Majordomo-Team.")
      expect([keyed.records.length, provider.exchanges.length - before]).toEqual([0, 0])
      expect(keyed.gateway.unrecordedRequests()).toBe(0)
      await keyed.close()
    },
  )

  test.each([
    ["is empty", [["x-majordomo-team", ""]]],
    [
      "is empty twice",
      [
        ["x-majordomo-team", ""],
        ["X-Majordomo-Team", ""],
      ],
    ],
    ["is a space that is no ASCII", [["x-majordomo-team", "\u00c2\u00a0"]]],
  ] as [string, [string, string][]][])("required metadata is missing if its header %s", async (_, sent) => {
    const keyed = await start({ ...NONE, required: ["Team"] })
    const headers = [["x-majordomo-key", KEY], ["authorization", "Bearer sk-test"], ...sent] as [string, string][]
    const answer = await fetch(`${keyed.origin}/v1/chat/completions`, { method: "POST", headers, body: "{}" })
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("X-Majordomo-Team")])
    await keyed.close()
  })

  test.each([
    ["GET", "/v1/models"],
    ["POST", "/v1/messages/count_tokens"],
    ["GET", "/v1/files"],
    ["GET", "/v1/responses/resp_1"],
  ])("what costs nothing needs no metadata: %s %s", async (method, path) => {
    const keyed = await start({ ...NONE, required: ["Team"] })
    const headers = { "x-majordomo-key": KEY, "x-api-key": "sk-test" }
    const own = path.includes("messages") ? headers : { ...headers, authorization: "Bearer sk-test", "x-api-key": "" }
    const answer = await fetch(`${keyed.origin}${path}`, {
      method,
      headers: own,
      ...(method === "POST" && { body: '{"model":"claude-haiku-4-5","messages":[]}' }),
    })
    expect(await answer.text()).not.toContain("X-Majordomo-Team")
    expect((await keyed.nextRecord()).request_path).toBe(path)
    await keyed.close()
  })

  test("what the head, the body or the key says counts as sent", async () => {
    const required = ["User-Id", "Session-Id", "Client", "Team"]
    const keyed = await start({ ...NONE, defaults: { Team: "search" }, required })
    const body = { model: "gpt-4o-mini", messages: [], user: "u-1", prompt_cache_key: "s-1" }
    expect(await metadataOf({ body, to: keyed })).toMatchObject({ "User-Id": "u-1", "Session-Id": "s-1" })
    const headers = { "x-majordomo-key": KEY, authorization: "Bearer sk-test" }
    const rejected = await fetch(`${keyed.origin}/v1/chat/completions`, { method: "POST", headers, body: "{}" })
    expect(await rejected.text()).toContain("X-Majordomo-User-Id")
    expect([keyed.records.length, keyed.gateway.unrecordedRequests()]).toEqual([1, 0])
    await keyed.close()
  })
})
