import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { BUILT_IN_PROVIDERS } from "../../src/providers/catalog.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const MESSAGE = JSON.stringify({ model: "claude-sonnet-4-5", usage: { input_tokens: 3, output_tokens: 4 } })
const LOGIN = "Bearer sk-ant-oat01-login"
const API_KEY = "sk-ant-api03-key"

let upstream: Server
let gateway: Pipeline
/** The headers of the next answer. */
let sent: Record<string, string> = {}
/** The path of the last request. */
let path: string | undefined

beforeAll(async () => {
  upstream = createServer((request, response) => {
    path = request.url
    request
      .resume()
      .on("end", () => response.writeHead(200, { "content-type": "application/json", ...sent }).end(MESSAGE))
  })
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve))
  const baseUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const anthropic = { format: "anthropic", baseUrl } as const
  gateway = await startPipeline({
    upstream: baseUrl,
    providers: {
      anthropic: { name: "anthropic", ...anthropic },
      openai: { name: "openai", format: "openai", baseUrl },
      azure: { name: "azure", format: "openai", baseUrl },
      chatgpt: { ...BUILT_IN_PROVIDERS["chatgpt"]!, baseUrl: `${baseUrl}/backend-api/codex` },
      flat: { name: "flat", ...anthropic, billing: "subscription" },
      metered: { name: "metered", ...anthropic, billing: "api" },
    },
  })
})
afterAll(async () => {
  await gateway.close()
  upstream.close()
})

async function ask(headers: Record<string, string>, { path = "/v1/messages", answer = {} } = {}) {
  sent = answer
  const response = await fetch(gateway.origin + path, {
    method: "POST",
    headers: { "X-Majordomo-Key": KEY, "content-type": "application/json", ...headers },
    body: '{"model":"claude-sonnet-4-5"}',
  })
  await response.text()
  return { headers: response.headers, row: await gateway.nextRecord() }
}

describe("a request is on the bill unless a subscription pays for it:", () => {
  test.each([
    ["an API key of Anthropic", { "x-api-key": API_KEY }, undefined],
    ["an API key of Anthropic as a bearer token", { authorization: `Bearer ${API_KEY}` }, undefined],
    ["the login of Claude Code", { authorization: LOGIN }, "subscription"],
    [
      "a login at a provider whose setting says subscription",
      { authorization: LOGIN, "x-majordomo-provider": "flat" },
      "subscription",
    ],
    ["an API key at such a provider", { "x-api-key": API_KEY, "x-majordomo-provider": "flat" }, "subscription"],
    [
      "a login at a provider whose setting says api",
      { authorization: LOGIN, "x-majordomo-provider": "metered" },
      undefined,
    ],
  ] as [string, Record<string, string>, string | undefined][])("%s", async (_, headers, billing) => {
    const { row } = await ask(headers)
    expect(row).toMatchObject({ total_cost: "0.0003", cost_status: "exact" })
    expect(row.billing).toBe(billing)
  })

  test.each([
    ["an API key of OpenAI", { authorization: "Bearer sk-proj-key" }, undefined],
    ["the ChatGPT login of Codex", { authorization: "Bearer eyJhbGciOi", "chatgpt-account-id": "a-1" }, "subscription"],
    ["the header of a login without a login", { "chatgpt-account-id": "a-1" }, undefined],
    [
      "the header of a login with an API key",
      { authorization: "Bearer sk-proj-key", "chatgpt-account-id": "a-1" },
      undefined,
    ],
    [
      "the header of a login with a token of Azure",
      { authorization: "Bearer eyJhbGciOi", "chatgpt-account-id": "a-1", "x-majordomo-provider": "azure" },
      undefined,
    ],
  ] as [string, Record<string, string>, string | undefined][])("%s", async (_, headers, billing) => {
    const { row } = await ask(headers, { path: "/v1/responses" })
    expect(row.billing).toBe(billing)
  })

  const STATUS = "anthropic-ratelimit-unified-status"
  test.each([
    ["extra usage in use", { "anthropic-ratelimit-unified-overage-in-use": "true" }, undefined],
    [
      "extra usage as the limit that counts",
      { "anthropic-ratelimit-unified-representative-claim": "overage" },
      undefined,
    ],
    [
      "a plan that is used up, and extra usage",
      { [STATUS]: "rejected", "anthropic-ratelimit-unified-overage-status": "allowed" },
      undefined,
    ],
    [
      "a plan with room, and extra usage that is allowed",
      { [STATUS]: "allowed", "anthropic-ratelimit-unified-overage-status": "allowed" },
      "subscription",
    ],
  ] as [string, Record<string, string>, string | undefined][])(
    "a login whose answer says: %s",
    async (_, answer, billing) => {
      const { row } = await ask({ authorization: LOGIN }, { answer })
      expect(row.billing).toBe(billing)
    },
  )
})

test("the cost in the headers of an answer is 0 for a subscription, with its API value beside it", async () => {
  const subscribed = await ask({ authorization: LOGIN })
  expect(subscribed.headers.get("x-majordomo-cost")).toBe("0")
  expect(subscribed.headers.get("x-majordomo-subscription-value")).toBe("0.0003")
  const billed = await ask({ "x-api-key": API_KEY })
  expect(billed.headers.get("x-majordomo-cost")).toBe("0.0003")
  expect(billed.headers.has("x-majordomo-subscription-value")).toBe(false)
})

test("the provider chatgpt has the Responses API at the address of Codex, and is on no bill", async () => {
  const headers = { "x-majordomo-provider": "chatgpt", authorization: "Bearer eyJhbGciOi" }
  const { row } = await ask(headers, { path: "/responses" })
  expect(path).toBe("/backend-api/codex/responses")
  expect(row).toMatchObject({ provider: "chatgpt", dialect: "openai", billing: "subscription" })
})
