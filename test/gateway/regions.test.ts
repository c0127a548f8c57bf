import { AnthropicVertex } from "@anthropic-ai/vertex-sdk"
import { GoogleGenAI } from "@google/genai"
import { OAuth2Client } from "google-auth-library"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

const NAMES = ["europe-west1", "us-east5", "global"] as const
let hosts: Record<(typeof NAMES)[number], FakeProvider>
let gateway: Pipeline

beforeAll(async () => {
  const started = await Promise.all(NAMES.map(() => startFakeProvider()))
  hosts = Object.fromEntries(NAMES.map((name, index) => [name, started[index]])) as typeof hosts
  const regions = Object.fromEntries(NAMES.map((name) => [name, hosts[name].origin]))
  const baseUrl = hosts["europe-west1"].origin
  gateway = await startPipeline({
    upstream: baseUrl,
    providers: {
      gemini: { name: "gemini", format: "gemini", baseUrl },
      anthropic: { name: "anthropic", format: "anthropic", baseUrl },
      openai: { name: "openai", format: "openai", baseUrl },
      vertex: { name: "vertex", format: "gemini", baseUrl, region: "europe-west1", regions },
    },
  })
})
afterAll(async () => {
  await gateway.close()
  await Promise.all(Object.values(hosts).map((host) => host.close()))
})

/** Returns the regions whose hosts got requests since the last call. */
function reached(): string[] {
  const names = NAMES.filter((name) => hosts[name].exchanges.length > 0)
  for (const host of Object.values(hosts)) host.reset()
  return names
}

async function send(path: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${gateway.origin}${path}`, {
    method: "POST",
    headers: {
      authorization: "Bearer ya29.own-token",
      "x-majordomo-key": KEY,
      "content-type": "application/json",
      ...headers,
    },
    body: '{"model":"m","contents":[],"messages":[]}',
  })
  return { status: answer.status, text: await answer.text(), hosts: reached() }
}

describe("the location in a path of Vertex AI decides which region's host gets the request", () => {
  const at = (region: string, rest: string) => `/v1/projects/p/locations/${region}/${rest}`
  test.each([
    ["publishers/google/models/gemini-2.5-flash:generateContent", ""],
    ["publishers/anthropic/models/claude-sonnet-4-5:rawPredict", ""],
    ["endpoints/openapi/chat/completions", ""],
    ["publishers/google/models/gemini-2.5-flash:generateContent", "/vertex"],
  ])("%s %s", async (rest, prefix) => {
    for (const region of NAMES) {
      expect((await send(prefix + at(region, rest))).hosts).toEqual([region])
      expect((await gateway.nextRecord()).provider).toBe("vertex")
    }
  })

  test("Google's SDK, and Anthropic's for Vertex AI", async () => {
    const headers = { "X-Majordomo-Key": KEY }
    const authClient = new OAuth2Client({ credentials: { access_token: "ya29.own-token" } })
    for (const location of ["us-east5", "global"] as const) {
      const google = new GoogleGenAI({
        vertexai: true,
        project: "p",
        location,
        googleAuthOptions: { authClient } as never,
        httpOptions: { baseUrl: gateway.origin, headers },
      })
      await google.models.generateContent({ model: "gemini-2.5-flash", contents: "hi" })
      expect(reached()).toEqual([location])
      const claude = new AnthropicVertex({
        baseURL: `${gateway.origin}/v1`,
        region: location,
        projectId: "p",
        authClient: new OAuth2Client({ credentials: { access_token: "ya29.own-token" } }),
        defaultHeaders: headers,
      })
      await claude.messages.create({
        model: "claude-sonnet-4-5",
        max_tokens: 9,
        messages: [{ role: "user", content: "hi" }],
      })
      expect(reached()).toEqual([location])
      await gateway.nextRecord()
      await gateway.nextRecord()
    }
  })

  test("a path without a location goes to the region of the settings", async () => {
    expect((await send("/v1/publishers/google/models/gemini-2.5-flash:generateContent")).hosts).toEqual([
      "europe-west1",
    ])
    await gateway.nextRecord()
  })

  test.each([
    "asia-east1",
    "us-east5.evil.example",
    "evil.example%2f",
    "127.0.0.1:9",
    "US-EAST5",
    "us-east5%00",
    "__proto__",
    "constructor",
    "@evil",
  ])("no request is sent for a location that the settings do not have: %s", async (location) => {
    const { status, text, hosts: got } = await send(at(location, "publishers/google/models/m:generateContent"))
    expect([status, got]).toEqual([400, []])
    expect(JSON.parse(text).error.message).toMatch(
      /^The location in this path is none of the regions of vertex in the settings/,
    )
    expect(text).not.toContain("europe-west1")
  })
})
