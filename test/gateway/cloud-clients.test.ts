import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { AnthropicBedrock } from "@anthropic-ai/bedrock-sdk"
import Anthropic from "@anthropic-ai/sdk"
import { AnthropicVertex } from "@anthropic-ai/vertex-sdk"
import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime"
import { GoogleGenAI } from "@google/genai"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import { OAuth2Client } from "google-auth-library"
import OpenAI, { AzureOpenAI } from "openai"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { BUILT_IN_PROVIDERS, type Provider } from "../../src/providers/catalog.ts"
import { findCloudAnswer } from "../support/cloud-answers.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const OWN_KEY = { "x-majordomo-key": KEY }
const messages = [{ role: "user" as const, content: "Hello" }]

/** Without it, this client of AWS speaks HTTP/2, which the gateway does not. */
const HTTP_1 = new NodeHttpHandler()

let cloud: Server
let gateway: Pipeline
let book: PriceBook
/** The requests that the clouds got: the path, and the headers that can have a credential. */
let received: { path: string; credentials: Record<string, unknown> }[] = []

beforeAll(async () => {
  cloud = createServer((request, response) => {
    const path = request.url!.split("?", 1)[0]!
    const { authorization, "api-key": apiKey, "x-goog-api-key": goog, "x-majordomo-key": own } = request.headers
    const anthropic = request.headers["x-api-key"]
    received.push({ path, credentials: JSON.parse(JSON.stringify({ authorization, apiKey, anthropic, goog, own })) })
    request.resume().on("end", () => {
      const answer = findCloudAnswer(path)
      response.writeHead(answer.status, { "content-type": answer.type }).end(answer.body)
    })
  })
  await new Promise<void>((resolve) => cloud.listen(0, "127.0.0.1", resolve))
  const origin = `http://127.0.0.1:${(cloud.address() as AddressInfo).port}`
  book = await createPriceBook({ remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {} })
  const at = (name: string, format: Provider["format"]): Provider => ({ name, format, baseUrl: origin })
  gateway = await startPipeline({
    upstream: origin,
    price: book.price,
    providers: {
      ...BUILT_IN_PROVIDERS,
      azure: at("azure", "openai"),
      vertex: at("vertex", "gemini"),
      bedrock: at("bedrock", "bedrock"),
    },
  })
})
beforeEach(() => {
  received = []
})
afterAll(async () => {
  await gateway.close()
  book.close()
  cloud.closeAllConnections()
  await new Promise((resolve) => cloud.close(resolve))
})

interface Case {
  call(): Promise<unknown>
  /** The one credential that the cloud gets. */
  readonly credential: Readonly<Record<string, string>>
  readonly path: string
  readonly row: Readonly<Record<string, unknown>>
}

const CASES: Readonly<Record<string, Case>> = {
  AnthropicVertex: {
    call: () =>
      new AnthropicVertex({
        projectId: "p",
        region: "europe-west1",
        authClient: new OAuth2Client({ credentials: { access_token: "ya29.own" } }),
        baseURL: `${gateway.origin}/v1`,
        defaultHeaders: OWN_KEY,
      }).messages.create({ model: "claude-sonnet-4-5@20250929", max_tokens: 64, messages }),
    credential: { authorization: "Bearer ya29.own" },
    path: "/v1/projects/p/locations/europe-west1/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
    // In a region: (484 * 3 + 36 * 15) / 1e6 * 1.1
    row: { provider: "vertex", model: "claude-sonnet-4-5-20250929", input_tokens: 484, total_cost: "0.0021912" },
  },
  AnthropicBedrock: {
    call: () =>
      new AnthropicBedrock({
        apiKey: "ABSKown",
        awsRegion: "eu-central-1",
        baseURL: gateway.origin,
        defaultHeaders: OWN_KEY,
      }).messages.create({ model: "eu.anthropic.claude-haiku-4-5-20251001-v1:0", max_tokens: 64, messages }),
    credential: { authorization: "Bearer ABSKown" },
    path: "/model/eu.anthropic.claude-haiku-4-5-20251001-v1:0/invoke",
    // (484 * 1.1 + 36 * 5.5) / 1e6
    row: { provider: "bedrock", output_tokens: 36, total_cost: "0.0007304" },
  },
  AzureOpenAI: {
    call: () =>
      new AzureOpenAI({
        endpoint: gateway.origin,
        apiKey: "azure-own",
        apiVersion: "2024-02-01",
        defaultHeaders: OWN_KEY,
      }).chat.completions.create({ model: "my-chat", messages }),
    credential: { apiKey: "azure-own" },
    path: "/openai/deployments/my-chat/chat/completions",
    // (14 * 0.4 + 19 * 1.6) / 1e6
    row: { provider: "azure", model: "gpt-4.1-mini-2025-04-14", requested_model: "my-chat", total_cost: "0.000036" },
  },
  "Anthropic at Azure": {
    call: () =>
      new Anthropic({
        apiKey: null,
        baseURL: `${gateway.origin}/azure/anthropic`,
        // As the client for Foundry sends its key.
        defaultHeaders: { ...OWN_KEY, "x-api-key": "azure-own", "api-key": "azure-own" },
      }).messages.create({ model: "my-haiku", max_tokens: 64, messages }),
    credential: { apiKey: "azure-own", anthropic: "azure-own" },
    path: "/anthropic/v1/messages",
    // (484 * 1 + 36 * 5) / 1e6
    row: { provider: "azure", dialect: "anthropic", requested_model: "my-haiku", total_cost: "0.000664" },
  },
  "OpenAI at Bedrock": {
    call: () =>
      new OpenAI({
        apiKey: "ABSKown",
        baseURL: `${gateway.origin}/bedrock/openai/v1`,
        defaultHeaders: OWN_KEY,
      }).chat.completions.create({ model: "openai.gpt-oss-20b-1:0", messages }),
    credential: { authorization: "Bearer ABSKown" },
    path: "/openai/v1/chat/completions",
    // (14 * 0.07 + 19 * 0.3) / 1e6
    row: { provider: "bedrock", dialect: "openai", total_cost: "0.00000668" },
  },
  "GoogleGenAI at Vertex AI": {
    call: () =>
      new GoogleGenAI({
        vertexai: true,
        apiKey: "AIza-own",
        httpOptions: { baseUrl: gateway.origin, headers: OWN_KEY },
      }).models.generateContent({ model: "gemini-2.5-flash", contents: "Hello" }),
    credential: { goog: "AIza-own" },
    path: "/v1beta1/publishers/google/models/gemini-2.5-flash:generateContent",
    // (11 * 0.3 + 9602 * 0.03 + 33 * 2.5) / 1e6
    row: { provider: "vertex", model: "gemini-2.5-flash", cached_tokens: 9602, total_cost: "0.00037386" },
  },
  BedrockRuntimeClient: {
    call: async () => {
      const client = new BedrockRuntimeClient({
        endpoint: gateway.origin,
        region: "us-east-1",
        requestHandler: HTTP_1,
        token: { token: "ABSKown" },
        authSchemePreference: ["httpBearerAuth"],
      })
      client.middlewareStack.add(
        (next) => (args) => {
          Object.assign((args.request as { headers: Record<string, string> }).headers, OWN_KEY)
          return next(args)
        },
        { step: "build" },
      )
      const modelId = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
      await client.send(new ConverseCommand({ modelId, messages: [{ role: "user", content: [{ text: "Hello" }] }] }))
      client.destroy()
    },
    credential: { authorization: "Bearer ABSKown" },
    path: "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
    // (3 * 3.3 + 2074 * 0.33 + 297 * 4.125 + 61 * 16.5) / 1e6
    row: { provider: "bedrock", input_tokens: 2374, cached_tokens: 2074, total_cost: "0.002925945" },
  },
}

describe("an official client that has the gateway as its address", () => {
  test.each(Object.entries(CASES))("%s: its cloud gets its request, and the row has the cost", async (_, each) => {
    await each.call()
    expect(received).toEqual([{ path: each.path, credentials: each.credential }])
    expect(await gateway.nextRecord()).toMatchObject({ status_code: 200, cost_status: "exact", ...each.row })
  })
})

test("a client of AWS that signs its requests is told what to do instead", async () => {
  const client = new BedrockRuntimeClient({
    endpoint: gateway.origin,
    region: "us-east-1",
    requestHandler: HTTP_1,
    credentials: { accessKeyId: "AKIDOWN", secretAccessKey: "secret" },
  })
  client.middlewareStack.add(
    (next) => (args) => {
      Object.assign((args.request as { headers: Record<string, string> }).headers, OWN_KEY)
      return next(args)
    },
    { step: "build" },
  )
  const command = new ConverseCommand({ modelId: "amazon.nova-lite-v1:0", messages: [] })
  await expect(client.send(command)).rejects.toThrow(
    /signed .*for the address of the gateway.*provider-keys add bedrock/,
  )
  client.destroy()
  expect(received).toEqual([])
})
