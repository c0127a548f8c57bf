import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Anthropic, { NotFoundError } from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import OpenAI from "openai"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"
import { createModelLists } from "../../src/server/model-lists.ts"
import { KEY, type Pipeline, startPipeline } from "../support/pipeline.ts"

let prices: PriceBook
let gateway: Pipeline
let listed = 0
let isGeminiUsable = true
const cacheDir = mkdtempSync(join(tmpdir(), "mdm-models-"))

beforeAll(async () => {
  const options = { remoteUrl: "", refreshIntervalMs: 1000, now: Date.now, log: () => {}, cacheDir }
  prices = await createPriceBook(options)
  const listModels = createModelLists({
    prices: {
      models(provider) {
        listed++
        return prices.models(provider)
      },
    },
    now: () => 0,
    canSupply: (provider) => provider !== "gemini" || isGeminiUsable,
  })
  // Nothing listens there: a request that is forwarded fails.
  gateway = await startPipeline({ upstream: "http://127.0.0.1:9", deps: { listModels } })
})
afterAll(async () => {
  await gateway.close()
  prices.close()
  rmSync(cacheDir, { recursive: true })
})

const openai = (apiKey = KEY) => new OpenAI({ apiKey, baseURL: `${gateway.origin}/v1`, maxRetries: 0 })
const anthropic = () => new Anthropic({ apiKey: KEY, baseURL: gateway.origin, maxRetries: 0 })
const gemini = () => new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: gateway.origin } })

async function collect<T>(items: AsyncIterable<T>, toId: (item: T) => unknown): Promise<unknown[]> {
  const ids: unknown[] = []
  for await (const item of items) ids.push(toId(item))
  return ids
}

describe("with server.models: own, the gateway lists the models of the provider in the form of its API:", () => {
  test("OpenAI's", async () => {
    const ids = await collect(openai().models.list(), ({ id }) => id)
    expect(ids).toContain("gpt-4o-mini")
    expect(ids.some((id) => String(id).startsWith("claude"))).toBe(false)
    expect(await openai().models.retrieve("gpt-4o-mini")).toMatchObject({ object: "model", owned_by: "openai" })
  })

  test("Anthropic's", async () => {
    const ids = await collect(anthropic().models.list(), ({ id }) => id)
    expect(ids).toContain("claude-sonnet-4-5")
    expect(await anthropic().models.retrieve("claude-sonnet-4-5")).toMatchObject({ type: "model" })
    await expect(anthropic().models.retrieve("claude-99")).rejects.toThrow(NotFoundError)
  })

  test("Gemini's, where nothing is listed if the client may not use the provider", async () => {
    expect(await collect(await gemini().models.list(), ({ name }) => name)).toContain("models/gemini-2.5-flash")
    expect(await gemini().models.get({ model: "gemini-2.5-flash" })).toMatchObject({ name: "models/gemini-2.5-flash" })
    isGeminiUsable = false
    expect(await collect(await gemini().models.list(), ({ name }) => name)).toEqual([])
  })
})

test("the gateway's own list needs a gateway key, has no row, and is made once a minute", async () => {
  await expect(openai("sk-of-the-provider").models.list()).rejects.toMatchObject({ status: 401 })
  const before = listed
  await openai().models.list()
  expect(listed).toBe(before)
  expect(gateway.records).toEqual([])
})
