import { createAnthropic } from "@ai-sdk/anthropic"
import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { createOpenAI } from "@ai-sdk/openai"
import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import { ChatOpenAI } from "@langchain/openai"
import { generateText } from "ai"
import OpenAI from "openai"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { majordomo } from "../../src/client/index.ts"
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts"

const messages = [{ role: "user" as const, content: "Say hello" }]

describe("each SDK accepts the options of majordomo(), by their types, and sends them", () => {
  let fakeProvider: FakeProvider
  let gateway: ReturnType<typeof majordomo>

  beforeAll(async () => {
    fakeProvider = await startFakeProvider()
    gateway = majordomo({ url: fakeProvider.origin, apiKey: "mdm_sk_test", feature: "chat-bot", userId: "Zoë" })
  })
  afterAll(() => fakeProvider?.close())
  beforeEach(() => fakeProvider.reset())

  const calls: Readonly<Record<string, readonly [path: string, call: () => Promise<unknown>]>> = {
    OpenAI: [
      "/v1/chat/completions",
      () => new OpenAI({ apiKey: "k", ...gateway.openai }).chat.completions.create({ model: "gpt-4o-mini", messages }),
    ],
    Anthropic: [
      "/v1/messages",
      () =>
        new Anthropic({ apiKey: "k", ...gateway.anthropic }).messages.create({
          model: "claude-sonnet-4-6",
          max_tokens: 9,
          messages,
        }),
    ],
    Google: [
      "/v1beta/models/gemini-2.5-flash:generateContent",
      () =>
        new GoogleGenAI({ apiKey: "k", ...gateway.google }).models.generateContent({
          model: "gemini-2.5-flash",
          contents: "Say hello",
        }),
    ],
    "Vercel AI, OpenAI": [
      "/v1/responses",
      () =>
        generateText({
          model: createOpenAI({ apiKey: "k", ...gateway.vercel.openai })("gpt-5-mini"),
          prompt: "Say hello",
        }),
    ],
    "Vercel AI, Anthropic": [
      "/v1/messages",
      () =>
        generateText({
          model: createAnthropic({ apiKey: "k", ...gateway.vercel.anthropic })("claude-sonnet-4-6"),
          prompt: "Say hello",
        }),
    ],
    "Vercel AI, Google": [
      "/v1beta/models/gemini-2.5-flash:generateContent",
      () =>
        generateText({
          model: createGoogleGenerativeAI({ apiKey: "k", ...gateway.vercel.google })("gemini-2.5-flash"),
          prompt: "Say hello",
        }),
    ],
    "LangChain, OpenAI": [
      "/v1/chat/completions",
      () => new ChatOpenAI({ apiKey: "k", model: "gpt-4o-mini", configuration: gateway.openai }).invoke("Say hello"),
    ],
  }

  test.each(Object.entries(calls))("%s", async (_name, [path, call]) => {
    await call()
    const [exchange] = fakeProvider.exchanges
    expect(fakeProvider.exchanges).toHaveLength(1)
    expect(exchange!.url.split("?")[0]).toBe(path)
    expect(exchange!.headers).toMatchObject({ "x-majordomo-key": "mdm_sk_test", "x-majordomo-feature": "chat-bot" })
    expect(Buffer.from(String(exchange!.headers["x-majordomo-user-id"]), "latin1").toString("utf8")).toBe("Zoë")
  })
})
