import Anthropic from "@anthropic-ai/sdk"
import { ApiError, GoogleGenAI } from "@google/genai"
import OpenAI from "openai"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { GatewayError } from "../../src/core/errors.ts"
import { type LimitFacts, toLimitExceeded, toLimitsUnavailable, toUnpricedModel } from "../../src/core/limit-error.ts"
import { createFakeLimits } from "../support/fake-limits.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const limits = createFakeLimits()
let fakeProvider: FakeProvider
let gateway: Pipeline
/** The number of requests that the limits saw since the test began. */
let asked = 0
beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  gateway = await startPipeline({ upstream: fakeProvider.origin, deps: { limits } })
})
afterEach(async () => {
  for (; asked > 0; asked--) await gateway.nextRecord()
})
afterAll(async () => {
  await gateway.close()
  await fakeProvider.close()
})

const USED_UP: LimitFacts = {
  limit: "team budget",
  measure: "cost",
  window: "month",
  value: "",
  amount: "50",
  used: "49.9",
  reserved: "0.05",
  wanted: "0.2",
  resetsAt: "2026-12-01T00:00:00Z",
  reason: "used_up",
  retryAfterSeconds: 90_000,
}
const TOO_FAST: LimitFacts = {
  ...USED_UP,
  limit: "pace",
  measure: "requests",
  window: "minute",
  reason: "reserved",
  retryAfterSeconds: 1,
}

/** Rejects the first requests, `times` of them, and lets the others pass. */
function reject(error: GatewayError, times = Number.POSITIVE_INFINITY): void {
  limits.decide = () => {
    asked++
    if (asked <= times) throw error
  }
}

const headers = { "x-majordomo-key": KEY }
const messages = [{ role: "user" as const, content: "hello" }]

function askOpenai(maxRetries = 2) {
  const client = new OpenAI({ apiKey: "sk-x", baseURL: `${gateway.origin}/v1`, defaultHeaders: headers, maxRetries })
  return client.chat.completions.create({ model: "gpt-4o-mini", messages })
}

function askAnthropic(maxRetries = 2) {
  const client = new Anthropic({ apiKey: "sk-ant-x", baseURL: gateway.origin, defaultHeaders: headers, maxRetries })
  return client.messages.create({ model: "claude-sonnet-4-5", max_tokens: 64, messages })
}

function askGemini() {
  const client = new GoogleGenAI({ apiKey: "g-x", httpOptions: { baseUrl: gateway.origin, headers } })
  return client.models.generateContent({ model: "gemini-2.5-flash", contents: "hello" })
}

function post(path: string) {
  return fetch(gateway.origin + path, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-4o-mini", messages }),
  })
}

const thrown = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("it was answered"),
    (error: unknown) => error,
  )

describe("a limit that is used up for longer than a minute", () => {
  test("is OpenAI's RateLimitError with insufficient_quota, which its SDK does not send again", async () => {
    reject(toLimitExceeded(USED_UP))
    const error = (await thrown(askOpenai())) as InstanceType<typeof OpenAI.RateLimitError>
    expect(error).toBeInstanceOf(OpenAI.RateLimitError)
    expect(error).toMatchObject({ status: 429, code: "insufficient_quota", type: "insufficient_quota" })
    expect(error.message).toContain('"team budget" of 50 USD per month')
    expect(error.message).toContain("49.9 used")
    expect(error.message).toContain("2026-12-01T00:00:00Z")
    expect(error.headers?.get("x-majordomo-limit-remaining")).toBe("team budget=0.05")
    expect(asked).toBe(1)
  })

  test("is Anthropic's RateLimitError, which its SDK does not send again", async () => {
    reject(toLimitExceeded(USED_UP))
    const error = (await thrown(askAnthropic())) as InstanceType<typeof Anthropic.RateLimitError>
    expect(error).toBeInstanceOf(Anthropic.RateLimitError)
    expect(error).toMatchObject({ status: 429, error: { type: "error", error: { type: "rate_limit_error" } } })
    expect(error.headers?.get("retry-after")).toBe("90000")
    expect(asked).toBe(1)
  })

  test("is Gemini's ApiError with RESOURCE_EXHAUSTED", async () => {
    reject(toLimitExceeded(USED_UP))
    const error = (await thrown(askGemini())) as ApiError
    expect(error).toBeInstanceOf(ApiError)
    expect(error.status).toBe(429)
    expect(JSON.parse(error.message)).toMatchObject({ error: { code: 429, status: "RESOURCE_EXHAUSTED" } })
  })

  test("is Bedrock's ThrottlingException", async () => {
    reject(toLimitExceeded(USED_UP))
    const answer = await post("/model/anthropic.claude-3-haiku-20240307-v1:0/converse")
    expect(answer.status).toBe(429)
    expect(await answer.json()).toMatchObject({ __type: "ThrottlingException" })
  })
})

describe("a limit that has room again soon", () => {
  test("is sent again by OpenAI's SDK after Retry-After, and passes", async () => {
    reject(toLimitExceeded(TOO_FAST), 1)
    expect((await askOpenai()).choices).toHaveLength(1)
    expect(asked).toBe(2)
  })

  test("is sent again by Anthropic's SDK after Retry-After, and passes", async () => {
    reject(toLimitExceeded(TOO_FAST), 1)
    expect((await askAnthropic()).content).toHaveLength(1)
    expect(asked).toBe(2)
  })

  test.each([
    ["requests", "requests"],
    ["concurrency", "requests"],
    ["tokens", "tokens"],
    ["input_tokens", "tokens"],
  ] as const)("of %s has the code rate_limit_exceeded of OpenAI", async (measure, type) => {
    reject(toLimitExceeded({ ...TOO_FAST, measure }))
    const answer = await post("/v1/chat/completions")
    expect(await answer.json()).toMatchObject({ error: { code: "rate_limit_exceeded", type, param: null } })
    expect(answer.headers.get("retry-after")).toBe("1")
    expect(answer.headers.get("x-should-retry")).toBeNull()
  })
})

describe("other rejections", () => {
  test.each([
    [toUnpricedModel("team", "gpt-4o-mini"), 403, "unpriced_model", "false", null],
    [new GatewayError("model_not_allowed", "Use another model."), 403, "model_not_allowed", "false", null],
    [toLimitsUnavailable("team"), 503, "limits_unavailable", null, "5"],
  ])("%s: its status, its code, and whether to try again", async (error, status, code, shouldRetry, retryAfter) => {
    reject(error)
    const answer = await post("/v1/chat/completions")
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ error: { code, message: error.message } })
    expect(answer.headers.get("x-should-retry")).toBe(shouldRetry)
    expect(answer.headers.get("retry-after")).toBe(retryAfter)
  })

  test("a name that is not ASCII is encoded in the header", async () => {
    reject(toLimitExceeded({ ...USED_UP, limit: "Größe 50%" }))
    const answer = await post("/v1/chat/completions")
    expect(answer.headers.get("x-majordomo-limit-remaining")).toBe("Gr%C3%B6%C3%9Fe 50%25=0.05")
    await answer.text()
  })
})
