import type { RateName, Rates } from "../core/cost.ts"
import { formatDecimal, multiply, parseDecimal } from "../core/decimal.ts"

interface Completed {
  readonly rates: Rates
  /** The rates that a rule gave, with the reason why a rate may be wrong; undefined if the provider bills it so. */
  readonly derived: ReadonlyMap<RateName, string | undefined>
}

/**
 * Derives the rates that no source lists from those that are listed, where possible by the provider's own rules.
 *
 * Worked example: a Claude model with only `input: "3"` gets `cacheWrite: "3.75"` (1.25 times) and `cacheWrite1h: "6"`
 * (2 times), but no `cacheRead`, because that discount differs by model.
 */
export function completeRates(listed: Rates, of: { readonly owner: string; readonly model: string }): Completed {
  const rates: { [K in RateName]?: string } = { ...listed }
  const derived = new Map<RateName, string | undefined>()
  const isClaude = of.model.includes("claude")
  const isOpenai = of.owner === "openai" || of.owner === "azure"
  const isGoogle = of.owner === "google"

  const derive = (name: RateName, from: RateName, isCertain: boolean, times = "1") => {
    const source = rates[from]
    if (rates[name] !== undefined || source === undefined) return
    rates[name] = times === "1" ? source : formatDecimal(multiply(parseDecimal(source), parseDecimal(times)))
    const doubt = `${name} of ${of.model} is not listed: taken from ${from}${times === "1" ? "" : ` times ${times}`}`
    derived.set(name, isCertain && derived.get(from) === undefined ? undefined : (derived.get(from) ?? doubt))
  }

  // Reasoning is billed as output, unless it has a rate of its own.
  derive("reasoning", "output", true)
  // OpenAI lists a rate for cached input where there is a discount. Claude's discount differs by model.
  if (!isClaude) derive("cacheRead", "input", isOpenai)
  if (isClaude) derive("cacheWrite", "input", true, "1.25")
  if (isClaude) derive("cacheWrite1h", "input", true, "2")
  // OpenAI bills cache writes as input before GPT-5.6, and lists a rate since then.
  derive("cacheWrite", "input", isOpenai)
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
