import { describe, expect, test } from "vitest"
import { parseLitellm } from "../../src/pricing/litellm.ts"
import { parseLitellmMap } from "../../src/pricing/litellm-map.ts"
import { createPriceHistory } from "../../src/pricing/price-history.ts"

const AT = Date.parse("2026-11-20T12:00:00Z")
const FILLERS = Object.fromEntries(
  Array.from({ length: 25 }, (_, index) => [
    `groq/filler-${index}`,
    { litellm_provider: "groq", input_cost_per_token: 1e-6 },
  ]),
)

function parse(models: Readonly<Record<string, unknown>>) {
  const history = createPriceHistory({ file: undefined, log: () => {} })
  return { history, map: parseLitellm({ ...FILLERS, ...models }, history, AT) }
}

describe("LiteLLM's map", () => {
  test("has the rates of a model per million tokens, with its long-context tiers", () => {
    const { map } = parse({
      "gpt-test": {
        litellm_provider: "openai",
        mode: "chat",
        input_cost_per_token: 3e-7,
        input_cost_per_token_above_200k_tokens: 6e-7,
        output_cost_per_token: 2.5e-6,
        cache_read_input_token_cost: 3e-8,
        cache_creation_input_token_cost: 3.75e-7,
        cache_creation_input_token_cost_above_1hr: 6e-7,
        input_cost_per_token_priority: 1,
      },
    })
    expect(map.find("openai", ["other", "gpt-test"], AT)).toEqual({
      model: "gpt-test",
      source: "litellm",
      date: "2026-11-20",
      base: { input: "0.3", output: "2.5", cacheRead: "0.03", cacheWrite: "0.375", cacheWrite1h: "0.6" },
      tiers: [{ above: 200_000, rates: { input: "0.6" } }],
    })
  })

  test("has the same rates as the user's price file with the same map, and no more models than it has prices for", () => {
    const model = {
      litellm_provider: "openai",
      input_cost_per_token: 1.25e-7,
      output_cost_per_reasoning_token: 4e-6,
      input_cost_per_audio_token: 3e-6,
      cache_read_input_image_token_cost: 2e-7,
      output_cost_per_token_above_128k_tokens: 9e-6,
      output_cost_per_token: 8e-6,
    }
    const row = parse({ "gpt-test": model, odd: { litellm_provider: "openai", mode: "chat" } }).map.find(
      "openai",
      ["gpt-test"],
      AT,
    )
    const [filed] = parseLitellmMap({ "gpt-test": model, odd: { mode: "chat" } })
    expect({ base: row?.base, tiers: row?.tiers }).toEqual({ base: filed?.base, tiers: filed?.tiers })
  })

  test("lists a model at its provider, without LiteLLM's prefix", () => {
    const one = (provider: string, input = 1e-6) => ({ litellm_provider: provider, input_cost_per_token: input })
    const { map } = parse({
      "vertex_ai/gemini-x": one("vertex_ai-language-models", 9e-6),
      "gemini/gemini-x": one("gemini"),
      "xai/grok-x": one("xai"),
    })
    expect(map.find("google", ["gemini-x"], AT)?.base.input).toBe("1")
    expect(map.find("x-ai", ["grok-x"], AT)?.base.input).toBe("1")
    expect(map.find("openai", ["grok-x"], AT)).toBeUndefined()
  })

  test("has no price for a model whose rates are all 0, or at a provider that is not known", () => {
    const { map } = parse({
      free: { litellm_provider: "openai", input_cost_per_token: 0, output_cost_per_token: 0 },
      odd: { litellm_provider: "__proto__", input_cost_per_token: 1e-6 },
      sample_spec: { litellm_provider: "one of many", input_cost_per_token: 0 },
      broken: { litellm_provider: "openai", input_cost_per_token: "1" },
    })
    expect(map.size).toBe(25)
    expect(map.find("openai", ["free", "odd", "broken"], AT)).toBeUndefined()
  })

  test("keeps the price of a request's time", () => {
    const { map, history } = parse({ m: { litellm_provider: "openai", input_cost_per_token: 2e-6 } })
    const seen = (input: number) => [{ provider: "openai", model: "m", prices: { input_mtok: input } }]
    history.note("litellm", seen(1), { fetchedAt: AT - 10, firstFrom: AT - 10, isComplete: true, isCopy: false })
    history.note("litellm", seen(2), { fetchedAt: AT, firstFrom: AT, isComplete: true, isCopy: false })
    expect([AT - 20, AT - 1, AT].map((at) => map.find("openai", ["m"], at)?.base.input)).toEqual(["1", "1", "2"])
  })

  test.each([[[]], [{}], ["text"]])("is rejected if it is not a map of models: %j", (body) => {
    const history = createPriceHistory({ file: undefined, log: () => {} })
    expect(() => parseLitellm(body, history, AT)).toThrow("expected")
  })
})
