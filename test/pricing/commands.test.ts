import { mkdtemp, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { runProgram } from "../../src/cli/_program.ts"
import { bodyOf, listedRow } from "./_list.ts"

const PROGRAM = {
  name: "majordomo-gateway",
  version: "0.0.0",
  commands: {
    pricing: {
      summary: "the price book",
      commands: {
        list: { summary: "all", load: () => import("../../src/cli/pricing/list.ts") },
        get: { summary: "one", load: () => import("../../src/cli/pricing/get.ts") },
        history: { summary: "changes", load: () => import("../../src/cli/pricing/history.ts") },
        refresh: { summary: "fetch", load: () => import("../../src/cli/pricing/refresh.ts") },
      },
    },
  },
}

let out: string
let err: string
let config: string
let remoteUrl: string
const body = bodyOf([listedRow("openai", "gpt-4o", 3, 12, 1.5)])
const server = createServer((_, response) => response.end(JSON.stringify(body)))
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  remoteUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterAll(() => server.close())

async function configure(url: string, catalogUrl = "") {
  const dir = await mkdtemp(join(tmpdir(), "pricing-cli-"))
  config = join(dir, "majordomo.json")
  const settings = { storage: { data_dir: join(dir, "data") }, pricing: { remote_url: url, catalog_url: catalogUrl } }
  await writeFile(config, JSON.stringify(settings))
}

beforeEach(async () => {
  out = ""
  err = ""
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text
    return true
  })
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += text
    return true
  })
  await configure("")
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = 0
})

async function run(...args: readonly string[]): Promise<number> {
  process.exitCode = 0
  await runProgram(PROGRAM, ["pricing", ...args, "--config", config])
  return Number(process.exitCode)
}

describe("pricing get", () => {
  test("shows each rate with its source and date", async () => {
    expect(await run("get", "gpt-5.4-2026-03-05")).toBe(0)

    expect(out).toMatchInlineSnapshot(`
      "gpt-5.4-2026-03-05, priced as gpt-5.4 at openai

      Rate                    USD  per             Source        Date
      ---------------------------------------------------------------------
      input                   2.5  million tokens  genai-prices  2026-09-23
      cache_read             0.25  million tokens  genai-prices  2026-09-23
      output                   15  million tokens  genai-prices  2026-09-23
      web_searches           0.01  piece           genai-prices  2026-09-23
      web_search_previews    0.01  piece           majordomo     2026-11-28
      file_searches        0.0025  piece           genai-prices  2026-09-23
      code_containers        0.03  piece           majordomo     2026-11-28
      Over 271,999 tokens of input, for the whole request: input 5, cache_read 0.5, output 22.5
      "
    `)
  })

  test("--json has exact decimals and stable names", async () => {
    await run("get", "claude-haiku-4-5", "--json")

    expect(JSON.parse(out)).toEqual([
      {
        asked: "claude-haiku-4-5",
        matched: "exact",
        provider: "anthropic",
        model: "claude-haiku-4-5",
        rates: {
          input: { usd_per_million: "1", source: "genai-prices", date: "2026-09-23" },
          cache_read: { usd_per_million: "0.1", source: "genai-prices", date: "2026-09-23" },
          cache_write: { usd_per_million: "1.25", source: "genai-prices", date: "2026-09-23" },
          cache_write_1h: { usd_per_million: "2", source: "genai-prices", date: "2026-09-23" },
          output: { usd_per_million: "5", source: "genai-prices", date: "2026-09-23" },
          web_searches: { usd_each: "0.01", source: "genai-prices", date: "2026-09-23" },
        },
        long_context: [],
        unsure: {},
        disagreements: [],
        not_used: [],
      },
    ])
  })

  test("for a model without a price is rejected with what to do", async () => {
    expect(await run("get", "nope", "--provider", "openai")).toBe(1)

    expect(out).toBe("")
    expect(err).toBe(
      'error: no price for "nope" at openai: its requests are unpriced; set one with majordomo-gateway pricing set, or see majordomo-gateway pricing list\n',
    )
  })
})

describe("pricing list", () => {
  test("lists the models of a provider, also by its name in the configuration", async () => {
    await run("list", "--provider", "gemini", "--json")

    const models = JSON.parse(out) as { provider: string; model: string }[]
    expect(new Set(models.map(({ provider }) => provider))).toEqual(new Set(["google"]))
    expect(models.map(({ model }) => model)).toContain("gemini-2.5-pro")
  })

  test("rejects a provider that has no prices, and names those that have", async () => {
    expect(await run("list", "--provider", "nobody")).toBe(1)
    expect(err).toContain('no prices for a provider "nobody"; there are anthropic, ')
  })
})

describe("pricing refresh", () => {
  test("fetches the list and keeps it for the next command", async () => {
    await configure(remoteUrl)
    expect(await run("refresh")).toBe(0)
    expect(out).toBe(
      [
        "llm-prices.com: fetched, 26 prices of 2026-11-01",
        "genai-prices: off, pricing.catalog_url is empty",
        "litellm: off, pricing.litellm_url is empty",
        "",
      ].join("\n"),
    )

    out = ""
    await run("get", "gpt-4o", "--json")
    expect(JSON.parse(out)[0].rates.input).toEqual({
      usd_per_million: "3",
      source: "llm-prices.com",
      date: "2026-11-01",
    })
  })

  test("without an address is rejected", async () => {
    expect(await run("refresh")).toBe(1)
    expect(err).toBe(
      "error: pricing.remote_url, pricing.catalog_url, pricing.litellm_url are empty: there is nothing to fetch\n",
    )
  })

  test("prints the result of each list, and fails if one of them failed", async () => {
    await configure(remoteUrl, remoteUrl)

    expect(await run("refresh", "--json")).toBe(1)

    expect(JSON.parse(out)).toEqual({
      status: "updated",
      updated_at: "2026-11-01",
      models: 26,
      sources: [
        { source: "llm-prices.com", status: "updated", updated_at: "2026-11-01", models: 26, reason: null },
        {
          source: "genai-prices",
          status: "failed",
          updated_at: null,
          models: null,
          reason: "expected a list of providers",
        },
        { source: "litellm", status: "off", updated_at: null, models: null, reason: "pricing.litellm_url is empty" },
      ],
    })
    expect(err).toBe("error: the prices of genai-prices could not be fetched; they stay as they are\n")
  })
})

describe("pricing history", () => {
  test("shows how the prices of a model changed, by source", async () => {
    await configure(remoteUrl)
    await run("refresh")
    out = ""

    expect(await run("history", "gpt-4o")).toBe(0)
    expect(out).toMatchInlineSnapshot(`
      "gpt-4o at openai, in USD per million tokens

      Since          Source          Prices
      -------------------------------------------------------------------------------------------------------------
      2026-11-01     llm-prices.com  input 3, output 12, cache_read 1.5
      (first known)  genai-prices    input 2.5, cache_read 1.25, output 10, web_searches 0.01, file_searches 0.0025
      "
    `)

    out = ""
    await run("history", "o3", "--json")
    expect(JSON.parse(out)).toMatchInlineSnapshot(`
      [
        {
          "listed": true,
          "long_context": [],
          "model": "o3",
          "provider": "openai",
          "rates": {
            "cache_read": "0.5",
            "file_searches": "0.0025",
            "input": "10",
            "output": "40",
            "web_searches": "0.01",
          },
          "since": null,
          "source": "genai-prices",
        },
        {
          "listed": true,
          "long_context": [],
          "model": "o3",
          "provider": "openai",
          "rates": {
            "cache_read": "0.5",
            "file_searches": "0.0025",
            "input": "2",
            "output": "8",
            "web_searches": "0.01",
          },
          "since": "2025-06-10T00:00:00.000Z",
          "source": "genai-prices",
        },
      ]
    `)
  })

  test.each([
    ["there is no database yet", {}, "note: there is no database yet, so the history has only the changes of prices"],
    [
      "the database does not answer",
      { postgres: { host: "127.0.0.1", port: 1 } },
      "because the database cannot be opened: no PostgreSQL listens at 127.0.0.1:1",
    ],
  ])("says that it has only the changes in the data directory if %s", async (_, storage, note) => {
    const dir = await mkdtemp(join(tmpdir(), "pricing-cli-"))
    config = join(dir, "majordomo.json")
    await writeFile(config, JSON.stringify({ storage: { data_dir: join(dir, "data"), ...storage } }))
    expect(await run("history", "gpt-4o", "--json")).toBe(0)
    expect(err).toContain(note)
    expect(err).toContain(`that are kept in ${dir}/data`)
    expect(JSON.parse(out)).not.toEqual([])
  })

  test("of a model that no list has is rejected with what to do", async () => {
    expect(await run("history", "nope")).toBe(1)
    expect(err).toContain('error: no price list has "nope"; see majordomo-gateway pricing list\n')
  })
})
