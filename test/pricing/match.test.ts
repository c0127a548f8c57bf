import { existsSync, readFileSync } from "node:fs"
import { beforeAll, describe, expect, test } from "vitest"
import { loadBundled } from "../../src/pricing/bundled.ts"
import { mergeCatalog } from "../../src/pricing/catalog.ts"
import type { Catalog } from "../../src/pricing/catalog-model.ts"
import { identifyProvider } from "../../src/pricing/identify.ts"
import { findModel, spellingsOf } from "../../src/pricing/match.ts"
import { createPriceHistory } from "../../src/pricing/price-history.ts"

let catalog: Catalog
beforeAll(async () => {
  catalog = mergeCatalog(await loadBundled(), undefined, createPriceHistory({ file: undefined, log: () => {} }))
})

function matchOf(provider: string, name: string): string | undefined {
  const match = findModel(catalog, provider, spellingsOf(provider, name))
  return match && `${match.owner}/${match.model.id} ${match.how}`
}

describe("a name matches", () => {
  test.each([
    ["openai", "gpt-4o", "openai/gpt-4o exact"],
    ["openai", " GPT-4o ", "openai/gpt-4o exact"],
    ["openai", "gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13 exact"],
    ["openai", "gpt-4-turbo-2024-04-09", "openai/gpt-4-turbo exact"],
    ["openai", "gpt-3.5-turbo-instruct:20230824-v2", "openai/gpt-3.5-turbo-instruct rule"],
    ["openai", "gpt-5-nano-2025-08-07", "openai/gpt-5-nano rule"],
    ["openai", "ft:gpt-4o-2024-08-06:acme:x:9xYz", "openai/ft:gpt-4o rule"],
    ["openai", "gpt-4o-2027-01-01", "openai/gpt-4o undated"],
    ["anthropic", "claude-sonnet-4@20250514", "anthropic/claude-sonnet-4-0 rule"],
    ["anthropic", "claude-opus-4-1-20250805", "anthropic/claude-opus-4-1 rule"],
    ["google", "models/gemini-2.5-pro", "google/gemini-2.5-pro exact"],
    ["google", "publishers/google/models/gemini-2.0-flash-001", "google/gemini-2.0-flash rule"],
    ["google", "gemini-1.5-flash-8b-001", "google/gemini-1.5-flash-8b rule"],
    ["google", "claude-sonnet-4-5@20250929", "google/claude-sonnet-4-5 rule"],
    ["azure", "grok-4-1-fast-non-reasoning", "x-ai/grok-4-1-fast-non-reasoning exact"],
    ["aws", "us.amazon.nova-pro-v1:0", "aws/amazon.nova-pro-v1:0 rule"],
    ["x-ai", "x-ai/grok-code-fast-1", "x-ai/grok-code-fast-1 exact"],
  ])("%s: %s is %s", (provider, name, expected) => expect(matchOf(provider, name)).toBe(expected))
})

describe("a name that starts or continues like another", () => {
  test.each([
    ["openai", "gpt-5.7"],
    ["openai", "gpt-4.1-pro"],
    ["openai", "o3-ultra"],
    ["openai", "ft:gpt-9-mini-2025-04-14:acme::1"],
    ["openai", "ft:davinci-002:acme::1"],
    ["anthropic", "claude-opus-4-10"],
    ["anthropic", "claude-opus-5-6"],
    ["anthropic", "claude-sonnet-5-1"],
    ["google", "gemini-3.5-flash-8b"],
    ["google", "gemini-3.6-flash-lite"],
    ["google", "gemini-1.5-flash-16b"],
    ["x-ai", "grok-4.50"],
    ["nobody", "gpt-4o"],
  ])("%s: %s does not match the other one", (provider, name) => expect(matchOf(provider, name)).toBeUndefined())
})

test("each model of the catalog is found by its own id", () => {
  const lost = [...catalog.values()].flatMap(({ id, models }) =>
    models
      .filter((model) => findModel(catalog, id, spellingsOf(id, model.id))?.model !== model)
      .map((model) => model.id),
  )
  expect(lost).toEqual([])
})

const ALIAS_MAP = "../shared/pricing/alias_map.json"

test.skipIf(!existsSync(ALIAS_MAP))(
  "the corpus of model names is matched as it says (skipped where it is not at hand)",
  () => {
    const { aliases } = JSON.parse(readFileSync(ALIAS_MAP, "utf8")) as {
      aliases: Record<string, { genai_model: string }>
    }
    // A version needs two digits, so our own table of aliases finds `claude-2.1`.
    const { "anthropic/claude-2.1": _, ...names } = aliases
    const wrong = Object.entries(names).flatMap(([key, { genai_model: expected }]) => {
      const [provider = "", ...rest] = key.split("/")
      const found = findModel(catalog, provider, spellingsOf(provider, rest.join("/")))?.model.id
      return found === expected ? [] : [`${key}: expected ${expected}, got ${found}`]
    })
    expect(wrong).toEqual([])
  },
)

describe("a provider is identified", () => {
  test.each([
    ["openai", undefined, "openai"],
    ["gemini", "https://generativelanguage.googleapis.com", "google"],
    ["XAI", undefined, "x-ai"],
    ["fast", "https://api.groq.com/openai", "groq"],
    ["llm", "https://openrouter.ai/api", "openrouter"],
    ["anything", "https://api.x.ai", "x-ai"],
    ["openai", "https://acme.openai.azure.com", "azure"],
    ["deepseek", "http://127.0.0.1:9000", "deepseek"],
    ["my-proxy", "https://llm.acme.test", undefined],
    ["my-openai", undefined, undefined],
    ["evil", "https://acme.test/api.openai.com", undefined],
  ])("%s at %s as %s", (name, baseUrl, expected) =>
    expect(identifyProvider(catalog, name, baseUrl === undefined ? {} : { baseUrls: { [name]: baseUrl } })).toBe(
      expected,
    ),
  )
})
