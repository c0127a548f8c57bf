import { gunzipSync } from "node:zlib"
import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import OpenAI from "openai"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { type FakeProvider, startFakeProvider } from "./fake-provider.ts"

let fakeProvider: FakeProvider
let openai: OpenAI
let anthropic: Anthropic
let gemini: GoogleGenAI

beforeAll(async () => {
  fakeProvider = await startFakeProvider()
  openai = new OpenAI({ apiKey: "sk-test", baseURL: `${fakeProvider.origin}/v1`, maxRetries: 0 })
  anthropic = new Anthropic({ apiKey: "sk-ant-test", baseURL: fakeProvider.origin, maxRetries: 0 })
  gemini = new GoogleGenAI({ apiKey: "g-test", httpOptions: { baseUrl: fakeProvider.origin } })
})
beforeEach(() => fakeProvider.reset())
afterAll(() => fakeProvider.close())

const messages = [{ role: "user" as const, content: "How far is it?" }]

test("openai reads a complete chat response, and its usage is what the exchange predicts", async () => {
  const answer = await openai.chat.completions.create({ model: "gpt-4o-mini", messages })
  const { tokens } = await fakeProvider.nextRequest()
  expect(answer.choices[0]?.message.content).toBe("The fake provider heard 14 characters.")
  expect(answer.usage).toMatchObject({ prompt_tokens: tokens.input, completion_tokens: tokens.output })
  expect(tokens).toMatchObject({ input: 4, output: 10 })
})

test("a chat stream has usage only if the request asks for it", async () => {
  const plain = await openai.chat.completions.create({ model: "gpt-4o-mini", messages, stream: true })
  for await (const chunk of plain) expect(chunk).not.toHaveProperty("usage")
  const asked = { model: "gpt-4o-mini", messages, stream: true as const, stream_options: { include_usage: true } }
  const usages: unknown[] = []
  for await (const chunk of await openai.chat.completions.create(asked)) usages.push(chunk.usage)
  expect(usages.pop()).toMatchObject({ prompt_tokens: 4, completion_tokens: 10, total_tokens: 14 })
  expect(new Set(usages)).toEqual(new Set([null]))
})

test("openai reads completions, responses, embeddings, models and moderations", async () => {
  fakeProvider.always({ text: "Far away.", tokens: { cached: 2, reasoning: 1 } })
  expect((await openai.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Hi" })).choices[0]?.text).toBe(
    "Far away.",
  )
  const response = await openai.responses.create({ model: "gpt-5", input: "How far?" })
  expect(response.output_text).toBe("Far away.")
  expect(response.usage).toMatchObject({
    input_tokens: 2,
    input_tokens_details: { cached_tokens: 2 },
    output_tokens: 3,
  })
  const types: string[] = []
  for await (const event of await openai.responses.create({ model: "gpt-5", input: "How far?", stream: true })) {
    types.push(event.type)
    if (event.type === "response.completed") expect(event.response.usage?.output_tokens).toBe(3)
  }
  expect(types.at(0)).toBe("response.created")
  expect(types.at(-1)).toBe("response.completed")
  const embedded = await openai.embeddings.create({ model: "text-embedding-3-small", input: ["a", "b"] })
  expect(embedded.data.map(({ embedding }) => embedding)).toEqual(Array(2).fill([0.25, -0.5, 0.125, 0.75]))
  expect((await openai.models.list()).data[0]?.id).toBe("gpt-4o-mini")
  expect((await openai.moderations.create({ input: "Hi" })).results[0]?.flagged).toBe(false)
})

test("anthropic reads complete and streamed messages, and the last usage of the stream equals the complete one", async () => {
  const tokens = { input: 100, cached: 40, cacheWrite: 30, cacheWrite1h: 10, output: 7 }
  fakeProvider.always({ text: "Far away.", tokens })
  const asked = { model: "claude-sonnet-4-5", max_tokens: 64, messages }
  const message = await anthropic.messages.create(asked)
  expect(message.usage).toMatchObject({
    input_tokens: 30,
    cache_read_input_tokens: 40,
    cache_creation_input_tokens: 30,
    cache_creation: { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 10 },
    output_tokens: 7,
  })
  const streamed = await anthropic.messages.stream(asked).finalMessage()
  expect(streamed.content).toEqual(message.content)
  expect(streamed.usage.output_tokens).toBe(7)
  expect((await anthropic.messages.countTokens({ model: "claude-sonnet-4-5", messages })).input_tokens).toBe(100)
})

test("@google/genai reads complete and streamed responses, embeddings and counts", async () => {
  fakeProvider.always({ text: "Far away from here.", tokens: { output: 9, reasoning: 4 } })
  const asked = { model: "gemini-2.5-flash", contents: "How far?" }
  const whole = await gemini.models.generateContent(asked)
  expect(whole.text).toBe("Far away from here.")
  expect(whole.usageMetadata).toMatchObject({ promptTokenCount: 2, candidatesTokenCount: 5, thoughtsTokenCount: 4 })
  let text = ""
  let last: unknown
  for await (const chunk of await gemini.models.generateContentStream(asked)) {
    text += chunk.text
    last = chunk.usageMetadata
  }
  expect(text).toBe("Far away from here.")
  expect(last).toMatchObject({ promptTokenCount: 2, candidatesTokenCount: 5, totalTokenCount: 11 })
  const embedded = await gemini.models.embedContent({ model: "gemini-embedding-001", contents: "Hi" })
  expect(embedded.embeddings?.[0]?.values).toHaveLength(4)
  expect((await gemini.models.countTokens({ model: "gemini-2.5-flash", contents: "How far?" })).totalTokens).toBe(2)
})

test("gemini without alt=sse is one JSON array that arrives element by element", async () => {
  fakeProvider.next({ pieces: 3 })
  const body = JSON.stringify({ contents: [{ parts: [{ text: "Hi" }] }] })
  const url = `${fakeProvider.origin}/v1beta/models/gemini-2.5-flash:streamGenerateContent`
  const answer = await fetch(url, { method: "POST", body })
  const raw = Buffer.from(await answer.arrayBuffer())
  expect(JSON.parse(raw.toString())).toHaveLength(3)
  expect(answer.headers.get("content-length")).toBeNull()
  expect(raw.equals((await fakeProvider.nextRequest()).sentBody)).toBe(true)
})

test("equal requests get equal bytes, and any split gives the same bytes", async () => {
  const send = async (script: object) => {
    const headers = { "x-fake-provider": JSON.stringify(script) }
    const body = JSON.stringify({ model: "gpt-4o", stream: true, messages })
    return (await fetch(`${fakeProvider.origin}/v1/chat/completions`, { method: "POST", body, headers })).text()
  }
  const first = await send({ pieces: 5 })
  expect(await send({ pieces: 5 })).toBe(first)
  expect(await send({ pieces: 5, chunkBytes: 7 })).toBe(first)
  expect(await send({ pieces: 5, encoding: "br" })).toBe(first)
})

test("for a compressed response, sentBody contains the bytes on the wire", async () => {
  fakeProvider.next({ encoding: "gzip", text: "Far away." })
  const { choices } = await openai.chat.completions.create({ model: "gpt-4o", messages })
  const { sentBody } = await fakeProvider.nextRequest()
  expect(choices[0]?.message.content).toBe("Far away.")
  expect(gunzipSync(sentBody).toString()).toContain("Far away.")
})

test("with breakAfterPieces, it closes the socket after that many pieces", async () => {
  fakeProvider.next({ pieces: 10, breakAfterPieces: 3 })
  const body = JSON.stringify({ model: "gpt-4o", stream: true, messages })
  const answer = await fetch(`${fakeProvider.origin}/v1/chat/completions`, { method: "POST", body })
  await expect(answer.text()).rejects.toThrow("terminated")
  const exchange = await fakeProvider.nextRequest()
  expect(await exchange.ended).toBe("broken_off")
  expect(exchange.sentBody.toString().match(/^data: /gm)).toHaveLength(3)
})

test("it records that a client disconnected, and how much that client received", async () => {
  fakeProvider.next({ pieces: 10, hangAfterPieces: 2 })
  const leaving = new AbortController()
  const body = JSON.stringify({ model: "gpt-4o", stream: true, messages })
  const answer = await fetch(`${fakeProvider.origin}/v1/chat/completions`, {
    method: "POST",
    body,
    signal: leaving.signal,
  })
  await answer.body?.getReader().read()
  const exchange = await fakeProvider.nextRequest()
  leaving.abort()
  expect(await exchange.ended).toBe("caller_left")
  expect(exchange.aborted).toBe(true)
})

test("errors have the dialect of the path", async () => {
  fakeProvider.always({ status: 429 })
  await expect(openai.chat.completions.create({ model: "gpt-4o", messages })).rejects.toBeInstanceOf(
    OpenAI.RateLimitError,
  )
  await expect(anthropic.messages.create({ model: "claude", max_tokens: 1, messages })).rejects.toBeInstanceOf(
    Anthropic.RateLimitError,
  )
  await expect(gemini.models.generateContent({ model: "gemini-2.5-flash", contents: "Hi" })).rejects.toMatchObject({
    status: 429,
  })
  fakeProvider.always({ refuseIncludeUsage: true })
  const asked = { model: "gpt-4o", messages, stream: true as const, stream_options: { include_usage: true } }
  await expect(openai.chat.completions.create(asked)).rejects.toBeInstanceOf(OpenAI.BadRequestError)
})
