import type { RateName, Rates } from "../core/cost.ts"
import { formatDecimal, multiply, parseDecimal } from "../core/decimal.ts"

interface Completed {
  readonly rates: Rates
  /** The rates that a rule gave. */
  readonly derived: ReadonlyMap<RateName, Derived>
}

interface Derived {
  /** The listed rate that it was taken from. */
  readonly root: RateName
  /** The reason why the rate may be wrong; undefined if the provider bills it so. */
  readonly doubt: string | undefined
}

interface Model {
  readonly owner: string
  readonly model: string
  /** The catalog has the model, so a cache rate that it does not list does not exist. Other lists only lack it. */
  readonly isInCatalog: boolean
}

/**
 * Derives the rates that no source lists from those that are listed, where possible by the provider's own rules.
 *
 * Worked example: a Claude model with only `input: "3"` gets `cacheRead: "0.3"` (0.1 times), `cacheWrite: "3.75"` (1.25
 * times) and `cacheWrite1h: "6"` (2 times). These rates are estimates, because some models have other factors.
 */
export function completeRates(listed: Rates, of: Model): Completed {
  const rates: { [K in RateName]?: string } = { ...listed }
  const derived = new Map<RateName, Derived>()
  const isClaude = of.model.includes("claude")
  const isOpenai = of.owner === "openai" || of.owner === "azure"
  const isGoogle = of.owner === "google"

  const derive = (name: RateName, from: RateName, isCertain: boolean, times = "1") => {
    const source = rates[from]
    if (rates[name] !== undefined || source === undefined) return
    rates[name] = times === "1" ? source : formatDecimal(multiply(parseDecimal(source), parseDecimal(times)))
    const how = times === "1" ? from : `${times} × ${from}`
    const doubt =
      derived.get(from)?.doubt ?? (isCertain ? undefined : `${name} of ${of.model} is not listed: taken from ${how}`)
    derived.set(name, { root: derived.get(from)?.root ?? from, doubt })
  }

  // Reasoning is billed as output, unless it has a rate of its own.
  derive("reasoning", "output", true)
  const gpt = of.isInCatalog ? undefined : gptCacheFactors(of.model)
  if (isClaude && hasCache(of)) {
    derive("cacheRead", "input", false, CLAUDE_CACHE.read)
    derive("cacheWrite", "input", false, CLAUDE_CACHE.write)
    derive("cacheWrite1h", "input", false, CLAUDE_CACHE.write1h)
  }
  if (isOpenai && gpt) {
    derive("cacheRead", "input", false, gpt.read)
    derive("cacheWrite", "input", false, gpt.write)
  }
  // OpenAI lists a rate for cached input where there is a discount.
  if (!isClaude) derive("cacheRead", "input", isOpenai && of.isInCatalog)
  // OpenAI bills cache writes as input before GPT-5.6, and lists a rate since then.
  if (!isClaude) derive("cacheWrite", "input", isOpenai)
  derive("cacheWrite1h", "cacheWrite", false)
  // OpenAI's writes for 12 hours: twice those for 30 minutes by LiteLLM's map 1.110.2 (November 2026) alone.
  derive("cacheWrite12h", "cacheWrite", false, "2")
  // Google lists an audio rate only where it differs from the text rate.
  const hasAudioRate = listed.inputAudio !== undefined
  const hasImageRate = listed.inputImage !== undefined
  derive("inputAudio", "input", isGoogle)
  derive("inputImage", "input", true)
  derive("cacheReadAudio", hasAudioRate ? "inputAudio" : "cacheRead", !hasAudioRate)
  derive("cacheReadImage", hasImageRate ? "inputImage" : "cacheRead", !hasImageRate)
  derive("outputAudio", "output", false)
  // For an image model without a rate for image output, the output rate is that of images.
  derive("outputImage", "output", of.model.includes("image"))
  return { rates, derived }
}

/** Anthropic's published factors of the input rate (platform.claude.com, prompt caching). Some models read for less. */
const CLAUDE_CACHE = { read: "0.1", write: "1.25", write1h: "2" } as const

/** Returns whether a Claude model can have a prompt cache. Claude 2 and Instant are in the catalog, and have none. */
function hasCache({ model, isInCatalog }: Model): boolean {
  return !isInCatalog || !/claude-(?:[12v]|instant)/.test(model)
}

/**
 * Returns the factors of the input rate that OpenAI publishes since GPT-5 for cached input (0.1) and since GPT-5.6 for cache
 * writes (1.25). The pro models have no cached rate, and older models have different ones.
 */
function gptCacheFactors(model: string): { readonly read: string; readonly write: string } | undefined {
  const [, version] = /^gpt-(\d+(?:\.\d+)?)(?!.*-pro\b)/.exec(model) ?? []
  if (version === undefined || Number(version) < 5) return undefined
  return { read: "0.1", write: Number(version) < 5.6 ? "1" : "1.25" }
}
