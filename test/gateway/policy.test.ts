import { once } from "node:events"
import { request } from "node:http"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import type { Caller } from "../../src/core/call.ts"
import { hashKey } from "../../src/core/key.ts"
import type { KeyPolicy } from "../../src/core/key-policy.ts"
import type { Provider } from "../../src/providers/catalog.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const NONE: KeyPolicy = { expiresAt: undefined, secretEndsAt: undefined, models: undefined, providers: undefined }

let upstream: FakeProvider
let gateway: Pipeline
let policy: Partial<KeyPolicy> | undefined

beforeAll(async () => {
  upstream = await startFakeProvider()
  const provider = (name: string, format: Provider["format"], models: Readonly<Record<string, string>> = {}) => {
    return { name, format, baseUrl: upstream.origin, models: new Map(Object.entries(models)) }
  }
  const caller = (): Caller => ({ keyId: "k", policy: policy && { ...NONE, ...policy } })
  gateway = await startPipeline({
    upstream: upstream.origin,
    providers: {
      openai: provider("openai", "openai"),
      anthropic: provider("anthropic", "anthropic"),
      gemini: provider("gemini", "gemini"),
      azure: provider("azure", "openai", { prod: "gpt-5-mini" }),
      bedrock: provider("bedrock", "bedrock", { a1b2c3: "claude-opus-4-6" }),
      vertex: provider("vertex", "gemini"),
    },
    findCaller: (hash) => (hash === hashKey(KEY) ? caller() : undefined),
    deps: { listModels: (_, { policy: of }) => (of?.models ? ["gpt-5", "gpt-5-mini", "o3-pro"] : undefined) },
  })
})
afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

interface Sent {
  readonly path?: string
  readonly method?: string
  readonly body?: object | string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends a request, and returns the status and the code or the message of the error. */
async function send({ path = "/v1/chat/completions", method = "POST", body, headers }: Sent) {
  const answer = await fetch(`${gateway.origin}${path}`, {
    method,
    headers: {
      "content-type": "application/json",
      authorization: "Bearer sk-test",
      "x-majordomo-key": KEY,
      ...headers,
    },
    ...(method === "POST" && { body: typeof body === "string" ? body : JSON.stringify(body ?? {}) }),
  })
  return { status: answer.status, text: await answer.text() }
}

const chat = (model: string): Sent => ({ body: { model, messages: [] } })
const statusOf = async (sent: Sent) => (await send(sent)).status

describe("a key that expires", () => {
  test("is rejected from that moment on, by the gateway's clock and without a look-up, with the time in the message", async () => {
    const at = Date.UTC(2027, 2, 1)
    policy = { expiresAt: at }
    vi.useFakeTimers({ toFake: ["Date"], now: at - 1 })
    try {
      expect(await statusOf(chat("gpt-5"))).toBe(200)
      vi.setSystemTime(at)
      const rejected = await send(chat("gpt-5"))
      expect(rejected.status).toBe(401)
      expect(JSON.parse(rejected.text).error).toMatchObject({
        code: "expired_gateway_key",
        message: expect.stringContaining("The gateway key expired at 2027-03-01T00:00:00.000Z."),
      })
      policy = { secretEndsAt: at }
      expect((await send(chat("gpt-5"))).text).toContain("was replaced by a new one, and stopped working at 2027-03-01")
    } finally {
      vi.useRealTimers()
    }
  })
})

describe("a key for some providers", () => {
  test("reaches these and no other, and the others get no byte of its requests", async () => {
    policy = { providers: ["openai", "azure"] }
    expect(await statusOf(chat("gpt-5"))).toBe(200)
    const sentBefore = upstream.exchanges.length
    const { status, text } = await send({ path: "/v1/messages", body: { model: "claude-sonnet-4-5", messages: [] } })
    expect(status).toBe(403)
    expect(JSON.parse(text)).toMatchObject({
      error: {
        type: "permission_error",
        message: expect.stringContaining("may not use the provider anthropic, only openai, azure"),
      },
    })
    expect(upstream.exchanges.length).toBe(sentBefore)
  })

  test("is checked before the body is read, so that a rejected request costs no upload", async () => {
    policy = { providers: ["anthropic"] }
    const sent = request(`${gateway.origin}/v1/chat/completions`, {
      method: "POST",
      headers: { "x-majordomo-key": KEY, authorization: "Bearer sk-test", "content-length": "1000000" },
    })
    sent.flushHeaders()
    const [response] = await once(sent, "response")
    expect(response.statusCode).toBe(403)
    sent.on("error", () => {})
    sent.destroy()
  })
})

test("a key that expires while the body arrives is rejected", async () => {
  policy = { expiresAt: Date.now() + 3_600_000 }
  const sent = request(`${gateway.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { "x-majordomo-key": KEY, authorization: "Bearer sk-test", "content-length": "2" },
  })
  const continued = once(sent, "continue")
  sent.setHeader("expect", "100-continue")
  sent.flushHeaders()
  await continued
  policy = { expiresAt: Date.now() - 1 }
  // A body that takes less than a millisecond came with its head.
  for (const startedAt = performance.now(); performance.now() < startedAt + 2; );
  sent.end("{}")
  const [response] = await once(sent, "response")
  response.resume()
  expect(response.statusCode).toBe(401)
})

describe("a key for some models", () => {
  const allowed = (model: string, sent: (model: string) => Sent = chat) => statusOf(sent(model))

  test("reaches the models with these names or beginnings, in any case, and no other", async () => {
    policy = { models: ["gpt-5*", "o3"] }
    for (const model of ["gpt-5", "GPT-5-mini", "o3"]) expect(await allowed(model), model).toBe(200)
    for (const model of ["gpt-4o", "o3-pro", "gpt", "x/gpt-5", " gpt-5", ""])
      expect(await allowed(model), model).toBe(403)
    const { text } = await send(chat("o3-pro"))
    expect(JSON.parse(text).error).toMatchObject({
      code: "model_not_allowed",
      message: expect.stringContaining('may not use the model "o3-pro", only gpt-5*, o3.'),
    })
  })

  test("an Azure deployment is allowed by its name or by the model behind it, and what the body names does not hide it", async () => {
    const deployed = (name: string, model?: string): Sent => ({
      path: `/openai/deployments/${name}/chat/completions?api-version=2024-10-21`,
      headers: { "api-key": "azure" },
      body: { messages: [], ...(model && { model }) },
    })
    policy = { models: ["gpt-5*"] }
    expect(await statusOf(deployed("prod"))).toBe(200)
    expect(await statusOf(deployed("prod", "gpt-5"))).toBe(200)
    expect(await statusOf(deployed("dear", "gpt-5"))).toBe(403)
    policy = { models: ["dear"] }
    expect(await statusOf(deployed("dear"))).toBe(200)
  })

  test("a model of Bedrock is allowed with or without its region and its maker, or by the model of its profile", async () => {
    const converse = (id: string): Sent => ({
      path: `/model/${encodeURIComponent(id)}/converse`,
      body: { messages: [] },
    })
    policy = { models: ["claude-*"] }
    for (const id of [
      "anthropic.claude-sonnet-4-5-20250929-v1:0",
      "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
      "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
      "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2c3",
    ]) {
      expect(await allowed(id, converse), id).toBe(200)
    }
    for (const id of [
      "us.amazon.nova-pro-v1:0",
      "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/zzz",
    ]) {
      expect(await allowed(id, converse), id).toBe(403)
    }
    policy = { models: ["anthropic.*"] }
    expect(await allowed("us.anthropic.claude-sonnet-4-5-20250929-v1:0", converse)).toBe(200)
  })

  test("the model in a path of Gemini and Vertex AI decides, whoever made it", async () => {
    policy = { models: ["gemini-2.5-flash*", "claude-opus-4-6@*"] }
    const generate = (model: string): Sent => ({
      path: `/v1beta/models/${model}:generateContent`,
      body: { model: "gemini-2.5-flash", contents: [] },
    })
    const predict = (model: string): Sent => ({
      path: `/v1/projects/p/locations/l/publishers/anthropic/models/${model}:rawPredict`,
      body: { model: "gemini-2.5-flash", messages: [] },
    })
    expect(await allowed("gemini-2.5-flash-lite", generate)).toBe(200)
    expect(await allowed("gemini-2.5-pro", generate)).toBe(403)
    expect(await allowed("claude-opus-4-6@default", predict)).toBe(200)
    expect(await allowed("claude-sonnet-4-5", predict)).toBe(403)
    const { body, ...unnamed } = predict("claude-opus-4-6@default")
    expect(body).toBeDefined()
    expect(await statusOf(unnamed)).toBe(200)
  })

  test("a request without a model is allowed if it costs nothing; a batch and an unknown path are not", async () => {
    policy = { models: ["gpt-5*"] }
    expect(await statusOf({ path: "/v1/files", method: "GET" })).not.toBe(403)
    for (const path of ["/v1/batches", "/v1/responses", "/openai/v1/some/new/path"]) {
      const { status, text } = await send({ path, body: { input_file_id: "f", endpoint: "/v1/responses" } })
      expect(status, path).toBe(403)
      expect(text).toContain("the gateway cannot tell which model this request uses")
    }
    expect(await statusOf({ path: "/v1/messages/batches", body: { requests: [] } })).toBe(403)
  })

  test("a model that the body of a batch names does not allow the batch, whose items name others", async () => {
    policy = { models: ["gpt-5*"] }
    for (const path of ["/v1/batches", "/v1/messages/batches"]) {
      expect(await statusOf({ path, body: { model: "gpt-5", input_file_id: "f", requests: [] } }), path).toBe(403)
    }
  })

  test("a body that names a model twice is rejected, because it is not known which one the provider takes", async () => {
    policy = { models: ["gpt-5*"] }
    for (const other of ["model", "Model", "\\u006dodel", "\\u004dODEL"]) {
      expect(await statusOf({ body: `{"${other}":"o3-pro","model":"gpt-5","messages":[]}` }), other).toBe(403)
    }
    const part = (name: string, model: string) =>
      `--b\r\ncontent-disposition: form-data; name=${name}\r\n\r\n${model}\r\n`
    const form = (...parts: string[]): Sent => ({
      path: "/v1/audio/transcriptions",
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body: `${parts.join("")}--b--\r\n`,
    })
    expect(await statusOf(form(part('"model"', "gpt-5")))).not.toBe(403)
    expect(await statusOf(form(part("model", "o3-pro"), part('"model"', "gpt-5")))).toBe(403)
    expect(await statusOf(form(part("model", "o3-pro")))).toBe(403)
  })

  test("with server.models: own it lists only the models that it may use", async () => {
    policy = { models: ["gpt-5*"] }
    const { text } = await send({ path: "/v1/models", method: "GET" })
    expect(JSON.parse(text).data.map(({ id }: { id: string }) => id)).toEqual(["gpt-5", "gpt-5-mini"])
    expect(await statusOf({ path: "/v1/models/o3-pro", method: "GET" })).toBe(404)
  })
})

test("a key without a policy reaches everything", async () => {
  policy = undefined
  expect(await statusOf(chat("anything"))).toBe(200)
  expect(await statusOf({ path: "/v1/messages", body: { model: "claude-sonnet-4-5", messages: [] } })).toBe(200)
})
