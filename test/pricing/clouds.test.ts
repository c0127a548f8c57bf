import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { NO_READING, NO_USAGE } from "../../src/core/usage.ts"
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.ts"

const OPTIONS = { remoteUrl: "", refreshIntervalMs: 1000, now: () => 0, log: () => {} }
const AT = Date.parse("2026-11-28T12:00:00Z")

interface Asked {
  readonly geo?: string
  readonly requested?: string
  readonly output?: number
}

/** Prices a million tokens of input and as many of output: `status input output`. */
function priceOf(
  book: PriceBook,
  provider: string,
  model: string | undefined,
  { geo, requested, output = 1_000_000 }: Asked = {},
) {
  const usage = { ...NO_USAGE, input: 1_000_000, output }
  const parts = [{ model, usage, contextTokens: 1000, role: "answer" }] as const
  const reading = { ...NO_READING, model, parts, geo, source: "reported" } as const
  const { status, inputCost, outputCost } = book.price({ provider, requestedModel: requested, reading, at: AT })
  return `${status} ${inputCost} ${outputCost}`
}

let book: PriceBook
beforeAll(async () => {
  book = await createPriceBook({
    ...OPTIONS,
    baseUrls: { bedrock: "https://bedrock-runtime.us-east-1.amazonaws.com", azure: "https://mine.openai.azure.com" },
  })
})
afterAll(() => book.close())

describe("the price of a model id of Bedrock", () => {
  const ARN = "arn:aws:bedrock:us-east-1:123456789012"
  test.each([
    // Sonnet 4.5: 3 and 15 USD; 10 % more outside of `global.`
    ["global.anthropic.claude-sonnet-4-5-20250929-v1:0", "exact 3 15"],
    ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "exact 3.3 16.5"],
    ["eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "exact 3.3 16.5"],
    ["jp.anthropic.claude-sonnet-4-5-20250929-v1:0", "exact 3.3 16.5"],
    ["anthropic.claude-sonnet-4-5-20250929-v1:0", "exact 3.3 16.5"],
    // Older models cost the same everywhere.
    ["anthropic.claude-3-7-sonnet-20250219-v1:0", "exact 3 15"],
    ["eu.anthropic.claude-3-7-sonnet-20250219-v1:0", "exact 3 15"],
    ["anthropic.claude-3-haiku-20240307-v1:0:48k", "exact 0.25 1.25"],
    // Ids without a date, or without `:0`.
    ["us.anthropic.claude-opus-4-6-v1", "exact 5.5 27.5"],
    ["us.anthropic.claude-sonnet-4-6", "exact 3.3 16.5"],
    ["global.anthropic.claude-opus-5-5", "exact 4 20"],
    // ARNs that end in an id, plain and encoded.
    [`${ARN}:inference-profile/us.anthropic.claude-sonnet-4-6`, "exact 3.3 16.5"],
    ["arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "exact 0.8 3.2"],
    ["arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Famazon.nova-pro-v1%3A0", "exact 0.8 3.2"],
    // A geography that the catalog has no row for.
    ["ca.amazon.nova-lite-v1:0", "estimated 0.06 0.24"],
    ["eu.amazon.nova-lite-v1:0", "estimated 0.06 0.24"],
    ["us.amazon.nova-lite-v1:0", "exact 0.06 0.24"],
    // Mantle.
    ["openai.gpt-oss-20b", "exact 0.07 0.3"],
    ["openai.gpt-5.5", "exact 5.5 33"],
    // What hides its model, or has no known price.
    [`${ARN}:application-inference-profile/otnfa2ysixqd`, "unpriced undefined undefined"],
    ["arn:aws:sagemaker:us-east-1:123456789012:endpoint/x", "unpriced undefined undefined"],
    ["global.cohere.embed-v4:0", "unpriced undefined undefined"],
    ["anthropic.claude-v2:1", "unpriced undefined undefined"],
  ])("%s: %s", (model, cost) => {
    expect(priceOf(book, "bedrock", model)).toBe(cost)
  })

  test("the second Titan embedding does not have the price of the first", () => {
    expect(priceOf(book, "bedrock", "amazon.titan-embed-text-v2:0", { output: 0 })).toBe("estimated 0.02 0")
    expect(priceOf(book, "bedrock", "amazon.titan-embed-text-v1", { output: 0 })).toBe("exact 0.1 0")
  })

  test("in a region without prices in the catalog it is that of the United States, estimated", async () => {
    const baseUrls = { bedrock: "https://bedrock-runtime.eu-central-1.amazonaws.com" }
    const german = await createPriceBook({ ...OPTIONS, baseUrls })
    expect(priceOf(german, "bedrock", "amazon.nova-lite-v1:0")).toBe("estimated 0.06 0.24")
    expect(priceOf(german, "bedrock", "anthropic.claude-sonnet-4-6")).toBe("exact 3.3 16.5")
    german.close()
  })

  test("follows from the settings where the id hides the model", async () => {
    const arn = `${ARN}:application-inference-profile/otnfa2ysixqd`
    for (const name of [arn, "otnfa2ysixqd"]) {
      const known = await createPriceBook({
        ...OPTIONS,
        models: { bedrock: { [name]: "global.anthropic.claude-sonnet-4-5-20250929-v1:0" } },
      })
      expect(priceOf(known, "bedrock", arn)).toBe("exact 3 15")
      known.close()
    }
  })
})

describe("the price of a model at Vertex AI", () => {
  test.each([
    // Sonnet 4.5 and later: 10 % more in a region and in a multi-region.
    ["claude-sonnet-4-5-20250929", "global", "exact 3 15"],
    ["claude-sonnet-4-5-20250929", "europe-west1", "exact 3.3 16.5"],
    ["claude-sonnet-4-5-20250929", "us", "exact 3.3 16.5"],
    ["claude-haiku-4-5@20251001", "us-east5", "exact 1.1 5.5"],
    ["claude-opus-4-6@default", "eu", "exact 5.5 27.5"],
    ["claude-3-7-sonnet@20250219", "us-east5", "exact 3 15"],
    ["claude-opus-4-1-20250805", "us-east5", "exact 15 75"],
    ["gemini-2.5-pro", "us-central1", "exact 1.25 10"],
    // Only one list knows that this one costs more in a region.
    ["gemini-3.5-flash-lite", "europe-west4", "estimated 0.33 2.75"],
    ["gemini-3.5-flash-lite", "global", "exact 0.3 2.5"],
  ])("%s in %s: %s", (model, geo, cost) => {
    expect(priceOf(book, "vertex", model, { geo })).toBe(cost)
  })
})

describe("the price of a model at Azure", () => {
  test("is found by Azure's names", () => {
    expect(priceOf(book, "azure", "gpt-35-turbo")).toBe("exact 0.5 1.5")
    expect(priceOf(book, "azure", "gpt-4.1-mini-2025-04-14")).toBe("exact 0.4 1.6")
    expect(priceOf(book, "azure", "ada", { output: 0 })).toBe("exact 0.1 0")
  })

  test("is that of the model in the answer, else that of the deployment in the settings", async () => {
    const models = { azure: { "my-chat": "gpt-4.1" } }
    const known = await createPriceBook({ ...OPTIONS, models })
    expect(priceOf(known, "azure", undefined, { requested: "My-Chat" })).toBe("exact 2 8")
    expect(priceOf(known, "azure", "gpt-4.1-mini-2025-04-14", { requested: "my-chat" })).toBe("exact 0.4 1.6")
    expect(priceOf(known, "azure", undefined, { requested: "other" })).toBe("unpriced undefined undefined")
    known.close()
  })
})

describe("`like` says whose prices hold", () => {
  test("for an address that nobody knows, and before a known one", async () => {
    const likes = { proxy: "openai", eu: "bedrock", mine: "vertex" }
    const baseUrls = { proxy: "https://llm.example", mine: "https://mine.openai.azure.com" }
    const known = await createPriceBook({ ...OPTIONS, likes, baseUrls })
    expect(priceOf(known, "proxy", "gpt-4.1")).toBe("exact 2 8")
    expect(priceOf(known, "eu", "us.anthropic.claude-sonnet-4-6")).toBe("exact 3.3 16.5")
    expect(priceOf(known, "mine", "gemini-2.5-pro")).toBe("exact 1.25 10")
    known.close()
  })

  test("the price that was set for a second provider holds before that of the one it is like", async () => {
    const set = (provider: string, model: string, input: string) => ({
      provider,
      model,
      price: { base: { input, output: "9" }, tiers: [] },
    })
    const read = async () => [
      set("azure", "gpt-4.1", "1"),
      set("azure-eu", "gpt-4.1", "2.2"),
      set("azure", "gpt-4.1-mini", "0.5"),
    ]
    const storedOverrides = { read, listen: async () => ({ close: async () => {} }) } as never
    const baseUrls = { azure: "https://mine.openai.azure.com", "azure-eu": "https://eu.openai.azure.com" }
    const known = await createPriceBook({ ...OPTIONS, likes: { "azure-eu": "azure" }, baseUrls, storedOverrides })
    expect(priceOf(known, "azure", "gpt-4.1-2025-04-14")).toBe("exact 1 9")
    expect(priceOf(known, "azure-eu", "gpt-4.1-2025-04-14")).toBe("exact 2.2 9")
    expect(priceOf(known, "azure-eu", "gpt-4.1-mini")).toBe("exact 0.5 9")
    known.close()
  })

  test("an unknown one is an error that says what is expected", async () => {
    await expect(createPriceBook({ ...OPTIONS, likes: { proxy: "opnai" } })).rejects.toThrow(
      /^providers\.proxy\.like: expected a provider whose prices are known, such as openai.*got "opnai"/,
    )
  })

  test("Bedrock's other addresses are known", async () => {
    const baseUrls = {
      mantle: "https://bedrock-mantle.us-east-1.api.aws",
      fips: "https://bedrock-runtime-fips.us-east-1.amazonaws.com",
      vpc: "https://vpce-1-2.bedrock-runtime.us-east-1.vpce.amazonaws.com",
    }
    const known = await createPriceBook({ ...OPTIONS, baseUrls })
    for (const name of Object.keys(baseUrls)) expect(priceOf(known, name, "openai.gpt-5.5")).toBe("exact 5.5 33")
    known.close()
  })
})
