import { describe, expect, it } from "vitest"
import type { ProviderRequest } from "../../src/providers/_dialect.ts"
import type { Format } from "../../src/providers/catalog.ts"
import { BUILT_IN_PROVIDERS, DIALECTS } from "../../src/providers/catalog.ts"

function request(given: Partial<Omit<ProviderRequest, "body">> & { readonly body?: string | Buffer }): ProviderRequest {
  return {
    provider: "p",
    method: "POST",
    path: "/v1/chat/completions",
    query: "",
    headers: {},
    host: "h",
    ...given,
    body: Buffer.from(given.body ?? ""),
  }
}
const asked = (format: Format, given: Parameters<typeof request>[0]) =>
  DIALECTS[format].prepare(request(given), { injectStreamUsage: false })

describe("the request", () => {
  it("states its model in the body, at any place and among anything", () => {
    expect(asked("openai", { body: '{"model":"gpt-6"}' }).requestedModel).toBe("gpt-6")
    expect(
      asked("anthropic", { body: '{"metadata":{"model":"no"},"x":"\\"model\\":\\"no\\"","model":"claude"}' })
        .requestedModel,
    ).toBe("claude")
    expect(asked("openai", { body: '{"mod\\u0065l":"gpt-6"}' }).requestedModel).toBe("gpt-6")
    expect(asked("openai", { body: '{"model":7}' }).requestedModel).toBeUndefined()
    expect(asked("openai", { body: "model" }).requestedModel).toBeUndefined()
  })
  it("states its model in a form field, after files of any content", () => {
    const body = Buffer.concat([
      Buffer.from(
        '--B\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nname="model"\r\n\r\nwrong\r\n',
      ),
      Buffer.alloc(1000, 0xff),
      Buffer.from(
        '\r\n--B\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--B\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n--B--\r\n',
      ),
    ])
    const headers = { "content-type": "multipart/form-data; boundary=B" }
    expect(asked("openai", { path: "/v1/audio/transcriptions", headers, body })).toMatchObject({
      requestedModel: "whisper-1",
      stream: true,
    })
  })
  it("states its model in the path for Gemini, Vertex and Azure", () => {
    expect(asked("gemini", { path: "/v1beta/models/gemini-3-flash:streamGenerateContent" })).toMatchObject({
      requestedModel: "gemini-3-flash",
      stream: true,
    })
    expect(
      asked("gemini", { path: "/v1/projects/p/locations/l/publishers/google/models/gemini-3:generateContent" })
        .requestedModel,
    ).toBe("gemini-3")
    expect(
      asked("gemini", { path: "/v1beta/openai/chat/completions", body: '{"model":"models/gemini-3","stream":true}' }),
    ).toMatchObject({ requestedModel: "gemini-3", stream: true })
    expect(asked("openai", { path: "/openai/deployments/mine/chat/completions" }).requestedModel).toBe("mine")
  })
  it("of a hundred megabytes is searched without blocking the event loop", () => {
    const image = Buffer.alloc(100 * 1024 * 1024, "A")
    const body = Buffer.concat([
      Buffer.from('{"messages":[{"content":"'),
      image,
      Buffer.from('"}],"stream":true,"model":"gpt-6"}'),
    ])
    // CPU time: a busy machine must not fail the test.
    const started = process.cpuUsage()
    expect(asked("openai", { body: body })).toMatchObject({ requestedModel: "gpt-6", stream: true })
    const deep = Buffer.alloc(100 * 1024 * 1024, "[")
    expect(asked("openai", { body: Buffer.concat([Buffer.from('{"a":'), deep]) }).requestedModel).toBeUndefined()
    const { user, system } = process.cpuUsage(started)
    expect((user + system) / 1000).toBeLessThan(2000)
  })
})

describe("the credential", () => {
  it.each([
    ["openai", { headers: { authorization: "Bearer sk-1" } }, "sk-1"],
    ["openai", { headers: { authorization: "bearer   sk-1 " } }, "sk-1"],
    ["openai", { headers: { "api-key": "azure" } }, "azure"],
    ["openai", { headers: { authorization: "Basic eA==" } }, undefined],
    ["anthropic", { headers: { "x-api-key": "sk-ant" } }, "sk-ant"],
    ["anthropic", { headers: { authorization: "Bearer oauth" } }, "oauth"],
    ["gemini", { headers: { "x-goog-api-key": "AIza" } }, "AIza"],
    ["gemini", { query: "?alt=sse&key=AI%2Fza" }, "AI/za"],
    ["gemini", { query: "?monkey=x" }, undefined],
    ["gemini", { headers: { authorization: "Bearer ya29" } }, "ya29"],
  ] as const)("%s %j", (format, given, credential) => {
    expect(DIALECTS[format].readCredential(request(given))).toBe(credential)
  })
})

describe("whether an operation is free", () => {
  it.each([
    ["openai", "GET", "/v1/models", true],
    ["openai", "GET", "/v1/responses/resp_1", true],
    ["openai", "POST", "/v1/responses/resp_1/cancel", true],
    ["openai", "POST", "/v1/responses/input_tokens", true],
    ["openai", "POST", "/v1/moderations", true],
    ["openai", "POST", "/v1/files", true],
    ["openai", "POST", "/v1/batches", true],
    ["openai", "DELETE", "/v1/chat/completions/c1", true],
    ["openai", "POST", "/v1/chat/completions", false],
    ["openai", "POST", "/v1/responses", false],
    ["openai", "POST", "/v1/responses/compact", false],
    ["openai", "GET", "/v1/files/f/content", true],
    ["openai", "POST", "/v1/videos", false],
    ["openai", "POST", "/v1/threads", true],
    ["openai", "POST", "/v1/threads/t/messages", true],
    ["openai", "POST", "/v1/threads/t/runs", false],
    ["openai", "POST", "/v1/vector_stores", true],
    ["openai", "POST", "/v1/fine_tuning/jobs", false],
    ["openai", "POST", "/v1/fine_tuning/jobs/x/cancel", true],
    ["openai", "GET", "/v1/chat/completions", true],
    ["openai", "GET", "/openai/v1/models", true],
    ["openai", "POST", "/v1/models/m/whatever", false],
    ["openai", "POST", "/v1/files/f", false],
    ["openai", "POST", "/v1/batches/..", false],
    ["openai", "GET", "/v1/vector_stores/v/files/f/content", true],
    ["anthropic", "POST", "/v1/messages", false],
    ["anthropic", "POST", "/v1/messages/count_tokens", true],
    ["anthropic", "POST", "/v1/messages/batches", true],
    ["anthropic", "GET", "/v1/messages/batches/b/results", true],
    ["anthropic", "POST", "/v1/skills/s/versions", true],
    ["anthropic", "POST", "/v1/models/claude", false],
    ["anthropic", "POST", "/api/event_logging/v2/batch", true],
    ["gemini", "POST", "/v1beta/models/g:generateContent", false],
    ["gemini", "POST", "/v1beta/files/f:generateContent", false],
    ["gemini", "POST", "/v1beta/models/g:batchGenerateContent", true],
    ["gemini", "POST", "/v1beta/models/g:batchGenerateContent/", false],
    ["gemini", "POST", "/v1/projects/p/locations/l/publishers/google/models/g:countTokens", true],
    ["gemini", "POST", "/v1beta/models/g:countTokens", true],
    ["gemini", "GET", "/v1beta/models", true],
  ] as const)("%s %s %s: %s", (format, method, path, free) => {
    expect(DIALECTS[format].isFree(request({ method, path }))).toBe(free)
  })
})

describe("an error of the gateway", () => {
  it("has the shape and the type names of the API that was called", () => {
    expect(JSON.parse(DIALECTS.openai.errorBody("invalid_gateway_key", 401, "No."))).toEqual({
      error: { message: "No.", type: "invalid_request_error", param: null, code: "invalid_gateway_key" },
    })
    expect(JSON.parse(DIALECTS.openai.errorBody("provider_timeout", 504, "No."))).toMatchObject({
      error: { type: "server_error" },
    })
    expect(JSON.parse(DIALECTS.anthropic.errorBody("body_too_large", 413, "No."))).toEqual({
      type: "error",
      error: { type: "request_too_large", message: "No." },
    })
    expect(JSON.parse(DIALECTS.anthropic.errorBody("unknown_provider", 400, "No."))).toMatchObject({
      error: { type: "invalid_request_error" },
    })
    expect(JSON.parse(DIALECTS.gemini.errorBody("shutting_down", 503, "No."))).toEqual({
      error: { code: 503, message: "No.", status: "UNAVAILABLE" },
    })
    expect(JSON.parse(DIALECTS.gemini.errorBody("internal_error", 500, "No."))).toMatchObject({
      error: { status: "INTERNAL" },
    })
  })
})

describe("the provider's error message", () => {
  const message = (body: string) => DIALECTS.openai.readErrorMessage(Buffer.from(body))
  it("is found in every shape of an error body", () => {
    expect(message('{"error":{"message":"Bad model","type":"x"}}')).toBe("Bad model")
    expect(message('{"error":"unauthorized"}')).toBe("unauthorized")
    expect(message('{"message":"no"}')).toBe("no")
    expect(message('{"detail":"no"}')).toBe("no")
    expect(message('[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]')).toBe(
      "API key not valid.",
    )
    expect(message('event: error\ndata: {"type":"error","error":{"message":"Overloaded"}}\n\n')).toBe("Overloaded")
    expect(message("<html>")).toBeUndefined()
    expect(message("{}")).toBeUndefined()
    expect(message("")).toBeUndefined()
  })
  it("[SEC-03] never contains a credential", () => {
    const text = (said: string) => message(JSON.stringify({ error: { message: said } }))
    expect(text("Incorrect API key provided: sk-proj-abc***********xyz. You can find it there.")).toBe(
      "Incorrect API key provided: *** You can find it there.",
    )
    expect(text("key AIzaSyA1234567890abcdef is bad")).toBe("key *** is bad")
    expect(text("Authorization: Bearer abc.def.ghi failed")).toBe("Authorization: *** failed")
  })
  it("is at most 8192 characters long and never half a character", () => {
    const long = message(JSON.stringify({ error: { message: `${"a".repeat(8191)}🌍🌍` } }))
    expect(long).toBe("a".repeat(8191))
  })
})

describe("the table of dialects", () => {
  const dialects = Object.values(DIALECTS)
  it("has no path that two dialects claim as their own", () => {
    const paths = dialects.flatMap(({ routes }) => routes.claims.paths ?? [])
    const examples = ["/v1/messages", "/v1beta/models", "/v1/models/g:generateContent", "/v1/chat/completions"]
    for (const path of examples) expect(paths.filter((claim) => claim.test(path)).length).toBeLessThanOrEqual(1)
  })
  it("has only surfaces with a dialect of the table", () => {
    const formats = dialects.flatMap(({ routes }) => (routes.surfaces ?? []).map(({ format }) => format))
    expect(formats.filter((format) => !Object.hasOwn(DIALECTS, format))).toEqual([])
  })
})

it("the built-in providers have the addresses of their makers", () => {
  expect(Object.values(BUILT_IN_PROVIDERS).map(({ name, format, baseUrl }) => `${name} ${format} ${baseUrl}`)).toEqual([
    "openai openai https://api.openai.com",
    "anthropic anthropic https://api.anthropic.com",
    "bedrock bedrock https://bedrock-runtime.us-east-1.amazonaws.com",
    "gemini gemini https://generativelanguage.googleapis.com",
    "chatgpt openai https://chatgpt.com/backend-api/codex",
  ])
})
