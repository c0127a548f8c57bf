import type { RateName, Rates } from "../core/cost.ts"
import { formatDecimal, multiply, parseDecimal } from "../core/decimal.ts"

export interface Completed {
  readonly rates: Rates
  /** Which rates a rule gave; the text says why it may be wrong, undefined: the provider bills so. */
  readonly derived: ReadonlyMap<RateName, string | undefined>
}

/** Fills in the rates that no source lists, by the rules of the provider's own price list where there are any. */
export function completeRates(listed: Rates, of: { readonly owner: string; readonly model: string }): Completed {
  const rates: { [K in RateName]?: string } = { ...listed }
  const derived = new Map<RateName, string | undefined>()
  const isClaude = of.model.includes("claude")
  const isOpenai = of.owner === "openai" || of.owner === "azure"
  const isGoogle = of.owner === "google"

  const take = (name: RateName, from: RateName, sure: boolean, times = "1") => {
    const source = rates[from]
    if (rates[name] !== undefined || source === undefined) return
    rates[name] = times === "1" ? source : formatDecimal(multiply(parseDecimal(source), parseDecimal(times)))
    const doubt = `${name} of ${of.model} is not listed: taken from ${from}`
    derived.set(name, sure && derived.get(from) === undefined ? undefined : (derived.get(from) ?? doubt))
  }

  // Reasoning is billed as output unless it has a rate of its own.
  take("reasoning", "output", true)
  // OpenAI lists a cached rate where there is a discount. Claude's discount differs by model: the table or nothing.
  if (!isClaude) take("cacheRead", "input", isOpenai)
  if (isClaude) take("cacheWrite", "input", true, "1.25")
  if (isClaude) take("cacheWrite1h", "input", true, "2")
  // OpenAI bills no premium for writes before GPT-5.6, and lists it from there.
  take("cacheWrite", "input", isOpenai)
  take("cacheWrite1h", "cacheWrite", false)
  // Google lists audio only where it differs from text.
  const hasAudioRate = listed.inputAudio !== undefined
  const hasImageRate = listed.inputImage !== undefined
  take("inputAudio", "input", isGoogle)
  take("inputImage", "input", true)
  take("cacheReadAudio", hasAudioRate ? "inputAudio" : "cacheRead", !hasAudioRate)
  take("cacheReadImage", hasImageRate ? "inputImage" : "cacheRead", !hasImageRate)
  take("outputAudio", "output", false)
  // An image model without a rate for image output lists it as its output.
  take("outputImage", "output", of.model.includes("image"))
  return { rates, derived }
}
