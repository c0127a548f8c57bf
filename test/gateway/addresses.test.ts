import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createRouter } from "../../src/gateway/route.ts"
import { BUILT_IN_PROVIDERS, DIALECTS, type Provider } from "../../src/providers/catalog.ts"
import { bodyOf, exchange, request, statusOf } from "../matrix/_raw.ts"
import { headLines, type OddUpstream, OK, startOddUpstream } from "../support/odd-upstream.ts"
import { type Pipeline, startPipeline } from "../support/pipeline.ts"

const at = (name: string, format: Provider["format"], baseUrl: string): Provider => ({ name, format, baseUrl })
const CONFIGURED = [
  at("groq", "openai", "https://api.groq.com"),
  at("claude-proxy", "anthropic", "https://claude.example.com"),
  at("audio", "openai", "https://audio.example.com"),
  at("azure", "openai", "https://mine.openai.azure.com"),
  // Its dialect does not matter here.
  at("bedrock", "anthropic", "https://bedrock-runtime.eu-central-1.amazonaws.com"),
  at("vertex", "gemini", "https://europe-west1-aiplatform.googleapis.com"),
]
const all = { ...BUILT_IN_PROVIDERS, ...Object.fromEntries(CONFIGURED.map((each) => [each.name, each])) }
const VERTEX = "/v1/projects/p/locations/europe-west1/publishers"

interface Asked {
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: string
  readonly providers?: Readonly<Record<string, Provider>>
}

/** Returns where a request goes: `provider format path`. */
function routeOf(path: string, { headers = {}, query = "", providers = all }: Asked = {}): string {
  const route = createRouter(DIALECTS, providers).find({ path, query, headers })
  return `${route.provider.name} ${route.format} ${route.path}`
}

describe("a prefix means the same as X-Majordomo-Provider, and the path after it is the provider's own", () => {
  test.each([
    ["/openai/v1/chat/completions", "openai openai /v1/chat/completions"],
    ["/anthropic/v1/messages", "anthropic anthropic /v1/messages"],
    ["/anthropic/v1/chat/completions", "anthropic openai /v1/chat/completions"],
    ["/gemini/v1beta/models/g:generateContent", "gemini gemini /v1beta/models/g:generateContent"],
    ["/gemini/v1/chat/completions", "gemini openai /v1beta/openai/chat/completions"],
    ["/groq/openai/v1/chat/completions", "groq openai /openai/v1/chat/completions"],
    ["/claude-proxy/v1/messages", "claude-proxy anthropic /v1/messages"],
    ["/azure/openai/deployments/d/chat/completions", "azure openai /openai/deployments/d/chat/completions"],
    [`/vertex${VERTEX}/google/models/g:predict`, `vertex gemini ${VERTEX}/google/models/g:predict`],
    ["/openai/", "openai openai /"],
  ])("%s", (path, route) => {
    expect(routeOf(path)).toBe(route)
  })

  test("a path that several providers have goes where each request's own credential says, however often it was asked", () => {
    const router = createRouter(DIALECTS, all)
    const ask = (headers: Record<string, string | undefined>) =>
      router.find({ path: "/v1/models", query: "", headers }).provider.name
    const anthropic = { "x-api-key": "k" }
    const openai = { authorization: "Bearer k" }
    const found = [anthropic, {}, openai, anthropic, {}].map(ask)
    expect(found).toEqual(["anthropic", "openai", "openai", "anthropic", "openai"])
  })

  test.each(["/OpenAI/v1/models", "/openai%2fv1/models", "/openai", "/%6fpenai/v1/models", "/nobody/v1/models"])(
    "%s has no prefix",
    (path) => {
      expect(() => routeOf(path)).toThrow(/No provider owns this path/)
    },
  )

  test("a provider whose name begins the paths of an API has no prefix", () => {
    expect(routeOf("/audio/speech")).toBe("openai openai /audio/speech")
    expect(routeOf("/audio/speech", { headers: { "x-majordomo-provider": "audio" } })).toBe(
      "audio openai /audio/speech",
    )
  })

  test("a header that names the same provider agrees with it; another built-in provider contradicts it", () => {
    const named = (name: string) => routeOf("/openai/v1/models", { headers: { "x-majordomo-provider": name } })
    expect(named("openai")).toBe("openai openai /v1/models")
    expect(
      routeOf("/openai/deployments/d/responses", { headers: { "x-majordomo-provider": "openai" } }),
      "openai may have Azure's address",
    ).toBe("openai openai /openai/deployments/d/responses")
    expect(() => named("anthropic")).toThrow(
      /^X-Majordomo-Provider names anthropic, and the path begins with \/openai\/, which means the provider openai/,
    )
    // Groq's own paths begin so.
    expect(named("groq")).toBe("groq openai /openai/v1/models")
  })
})

describe("a path of Azure goes to azure", () => {
  test.each([
    ["/openai/deployments/d/chat/completions", {}],
    ["/openai/deployments/d/chat/completions", { headers: { authorization: "Bearer x" } }],
    ["/openai/v1/chat/completions", { headers: { "api-key": "x" } }],
    ["/openai/responses", { query: "?api-version=2025-04-01-preview" }],
    ["/models/chat/completions", { headers: { "api-key": "x" } }],
  ] as const)("%s with %j", (path, given) => {
    expect(routeOf(path, given)).toBe(`azure openai ${path}`)
  })

  test("unless nothing in the request is Azure's own", () => {
    expect(routeOf("/openai/v1/chat/completions", { headers: { authorization: "Bearer x" } })).toMatch(/^openai /)
    expect(routeOf("/v1/chat/completions", { headers: { "api-key": "x" } })).toMatch(/^openai /)
  })
})

describe("a path of Vertex AI goes to vertex, in the dialect of the publisher", () => {
  test.each([
    [`${VERTEX}/google/models/gemini-3-flash:streamGenerateContent`, "gemini"],
    [`${VERTEX}/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict`, "anthropic"],
    [`${VERTEX}/anthropic/models/count-tokens:rawPredict`, "anthropic"],
    ["/v1beta1/projects/p/locations/global/endpoints/openapi/chat/completions", "openai"],
    ["/v1beta1/publishers/google/models/gemini-3-flash:generateContent", "gemini"],
  ])("%s: %s", (path, format) => {
    expect(routeOf(path)).toBe(`vertex ${format} ${path}`)
  })
})

describe("a cloud that is not configured", () => {
  const providers = BUILT_IN_PROVIDERS
  test.each([
    ["/openai/deployments/d/chat/completions", /Azure OpenAI, which is not configured.*set providers\.azure\.base_url/],
    [`${VERTEX}/google/models/g:generateContent`, /Vertex AI, which is not configured.*set providers\.vertex\.region/],
    ["/azure/openai/v1/responses", /set providers\.azure\.base_url/],
  ])("%s says what to set", (path, message) => {
    expect(() => routeOf(path, { providers })).toThrow(message)
  })

  test("is not missed if a built-in provider has its address", () => {
    const gemini = at("gemini", "gemini", "https://us-central1-aiplatform.googleapis.com")
    expect(routeOf(`${VERTEX}/google/models/g:generateContent`, { providers: { ...providers, gemini } })).toMatch(
      /^gemini /,
    )
  })
})

describe("through the gateway", () => {
  let upstream: OddUpstream
  let gateway: Pipeline
  beforeAll(async () => {
    upstream = await startOddUpstream((socket) => socket.write(OK))
    const local = Object.values(all).map((each) => [each.name, { ...each, baseUrl: upstream.origin }])
    gateway = await startPipeline({ upstream: upstream.origin, providers: Object.fromEntries(local) })
  })
  afterAll(async () => {
    await gateway.close()
    await upstream.close()
  })

  async function send(headers: string, path: string) {
    const before = upstream.requests.length
    const answer = await exchange(gateway.port, request(headers, { path }))
    const sent = upstream.requests.slice(before)
    return {
      status: statusOf(answer),
      answer,
      target: sent[0]?.split(" ", 2)[1],
      lines: sent[0] ? headLines(sent[0]) : [],
    }
  }

  test("the provider does not get the prefix, and the row keeps the client's path", async () => {
    const { status, target } = await send("Authorization: Bearer sk-x\r\n", "/groq/openai/v1/chat/completions?a=/groq/")
    expect([status, target]).toEqual([200, "/openai/v1/chat/completions?a=/groq/"])
    expect(await gateway.nextRecord()).toMatchObject({
      provider: "groq",
      request_path: "/groq/openai/v1/chat/completions",
    })
  })

  test("a header and a prefix that contradict each other are rejected with 400, and nothing is sent", async () => {
    const { status, answer, target } = await send("X-Majordomo-Provider: gemini\r\n", "/anthropic/v1/messages")
    expect([status, target]).toEqual([400, undefined])
    expect(bodyOf(answer)).toContain("Remove one of them.")
  })

  test.each([
    ["/openai/deployments/d/chat/completions", "api-key: azure-own", ["api-key"]],
    [`${VERTEX}/google/models/g:generateContent`, "authorization: Bearer ya29.own", ["authorization"]],
    [`${VERTEX}/anthropic/models/claude-opus-5:rawPredict`, "authorization: Bearer ya29.own", ["authorization"]],
  ])("%s gets its cloud's credential alone: %s", async (path, own, kept) => {
    const others = ["x-api-key: sk-ant", "x-amz-security-token: t", "cookie: s=1", "x-forwarded-for: 10.0.0.1"]
    const foreign = path.startsWith("/openai") ? ["x-goog-api-key: AIza"] : ["api-key: azure"]
    const { status, lines } = await send(`${[own, ...others, ...foreign].join("\r\n")}\r\n`, path)
    expect(status).toBe(200)
    const names = lines.map((line) => line.split(":")[0]!.toLowerCase()).sort()
    expect(names).toEqual([...kept, "connection", "content-length", "host"].sort())
    await gateway.nextRecord()
  })

  test("a cloud without a credential of its own gets no other provider's", async () => {
    const { status, target } = await send("x-api-key: sk-ant-x\r\n", "/openai/deployments/d/chat/completions")
    expect([status, target]).toEqual([400, undefined])
  })
  test("a request that is signed for the gateway's address is rejected, and the error says what to do instead", async () => {
    const signature = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAX/20261128/eu-central-1/bedrock/aws4_request"
    const { status, answer, target } = await send(`${signature}\r\n`, "/bedrock/model/amazon.nova-lite-v1:0/converse")
    expect([status, target]).toEqual([401, undefined])
    expect(bodyOf(answer)).toMatch(/signed .* for the address of the gateway.*Bedrock API key as Authorization: Bearer/)
    expect(bodyOf(answer)).toContain("majordomo-gateway provider-keys add bedrock --kind aws")
    expect(answer).not.toContain("AKIAX")
  })
})
