import { describe, expect, test } from "vitest"
import { completeRates } from "../../src/pricing/derive.ts"

const LISTED = { input: "2", output: "10" }

function cacheRatesOf(
  model: string,
  isInCatalog: boolean,
  owner = model.startsWith("claude") ? "anthropic" : "openai",
) {
  const { rates, derived } = completeRates(LISTED, { owner, model, isInCatalog })
  const isCertain = (["cacheRead", "cacheWrite"] as const).every((name) => derived.get(name)?.doubt === undefined)
  return [rates.cacheRead, rates.cacheWrite, rates.cacheWrite1h, isCertain ? "exact" : "estimated"]
}

describe("cache rates that no list has", () => {
  test("follow from the provider's published factors, as an estimate, if the catalog does not have the model", () => {
    expect(cacheRatesOf("claude-sonnet-9", false)).toEqual(["0.2", "2.5", "4", "estimated"])
    expect(cacheRatesOf("gpt-7-sol", false)).toEqual(["0.2", "2.5", "2.5", "estimated"])
    expect(cacheRatesOf("gpt-5.5-nova", false)).toEqual(["0.2", "2", "2", "estimated"])
  })

  test("are the input rate for OpenAI's models that the catalog has, where no discount exists", () => {
    expect(cacheRatesOf("gpt-4", true)).toEqual(["2", "2", "2", "exact"])
    expect(cacheRatesOf("gpt-5-pro", true)).toEqual(["2", "2", "2", "exact"])
  })

  test("are the input rate, as an estimate, for pro and older models that only a list has", () => {
    expect(cacheRatesOf("gpt-7-pro", false)).toEqual(["2", "2", "2", "estimated"])
    expect(cacheRatesOf("our-finetune", false)).toEqual(["2", "2", "2", "estimated"])
  })

  test("do not exist for Claude 2, which has no cache", () => {
    expect(cacheRatesOf("claude-2", true).slice(0, 3)).toEqual([undefined, undefined, undefined])
  })
})
