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

describe("a list has pages of the size that the client asks for, which together are the whole list:", () => {
  test("Anthropic's, forwards and backwards", async () => {
    const all = await collect(anthropic().models.list(), ({ id }) => id)
    const page = await anthropic().models.list({ limit: 7 })
    expect([page.data.length, page.has_more, page.first_id, page.last_id]).toEqual([7, true, all[0], all[6]])
    expect(await collect(anthropic().models.list({ limit: 7 }), ({ id }) => id)).toEqual(all)
    expect(await collect(anthropic().models.list({ limit: all.length }), ({ id }) => id)).toEqual(all)
    const before = await anthropic().models.list({ limit: 2, before_id: String(all[5]) })
    expect([before.data.map(({ id }) => id), before.has_more]).toEqual([all.slice(3, 5), true])
    // The model before the page is no longer there.
    const after = await anthropic().models.list({ limit: 1, after_id: `${all[3]}0` })
    expect(after.data[0]?.id).toBe(all[4])
    expect((await anthropic().models.list({ after_id: "z" })).data).toEqual([])
    await expect(anthropic().models.list({ limit: 0 })).rejects.toMatchObject({ status: 400 })
  })

  test("Gemini's", async () => {
    isGeminiUsable = true
    const all = await collect(await gemini().models.list(), ({ name }) => name)
    const pager = await gemini().models.list({ config: { pageSize: 10 } })
    expect(pager.page.map(({ name }) => name)).toEqual(all.slice(0, 10))
    expect(await collect(pager, ({ name }) => name)).toEqual(all)
    const last = await gemini().models.list({ config: { pageSize: all.length } })
    expect([last.pageLength, last.hasNextPage()]).toEqual([all.length, false])
    await expect(gemini().models.list({ config: { pageToken: "?" } })).rejects.toMatchObject({ status: 400 })
  })
})

test("the list of a provider has the names that it takes, and none that only price lists have", async () => {
  isGeminiUsable = true
  const lists = [
    await collect(openai().models.list(), ({ id }) => id),
    await collect(anthropic().models.list(), ({ id }) => id),
    await collect(await gemini().models.list(), ({ name }) => name),
  ].map((ids) => ids.map(String))
  const [gpt, claude, google] = lists as [string[], string[], string[]]
  expect(gpt.filter((id) => /^ft:|[-.:/]$|:|\.ft-|gpt-oss|gpt-[\d.]+-image/.test(id))).toEqual([])
  expect(gpt).toEqual(
    expect.arrayContaining(["gpt-4o-2024-05-13", "gpt-image-1", "text-embedding-3-small", "whisper-1"]),
  )
  expect(claude.filter((id) => !/^claude-[\w-]+$/.test(id))).toEqual([])
  expect(google.filter((id) => !/^models\/(?:gem|imagen|veo)/.test(id))).toEqual([])
  expect(google).toEqual(expect.arrayContaining(["models/gemini-embedding-001", "models/gemma-2-27b-it"]))
})

test("the gateway's own list needs a gateway key, has no row, and is made once a minute", async () => {
  await expect(openai("sk-of-the-provider").models.list()).rejects.toMatchObject({ status: 401 })
  const before = listed
  await openai().models.list()
  expect(listed).toBe(before)
  expect(gateway.records).toEqual([])
})
