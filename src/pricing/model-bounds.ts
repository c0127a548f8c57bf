import type { ModelBounds } from "../core/model-bounds.ts"
import type { Lookup, Sources } from "./lookup.ts"

interface Family extends ModelBounds {
  readonly names: RegExp
}

/**
 * Bounds by the id of a model; the first that fits. They are from LiteLLM's map of 2026-07-24 in Wei-Shaw/model-price-repo.
 * Where a beta header raises a bound, the raised one counts, because nothing may exceed a maximum.
 */
const FAMILIES: readonly Family[] = [
  { names: /^gpt-(?:5\.(?:[4-9]|\d\d)|[6-9])/, context: 1_050_000, output: 128_000 },
  { names: /^gpt-5/, context: 400_000, output: 128_000 },
  { names: /^gpt-oss/, context: 131_072, output: 131_072 },
  { names: /^gpt-4\.1/, context: 1_047_576, output: 32_768 },
  { names: /^(?:chatgpt|gpt)-4o/, context: 128_000, output: 16_384 },
  { names: /^gpt-4-(?:turbo|1106|0125|vision)/, context: 128_000, output: 4_096 },
  { names: /^gpt-4/, context: 32_768, output: 32_768 },
  { names: /^gpt-3\.5/, context: 16_385, output: 4_096 },
  { names: /^(?:o\d|codex)(?:$|-)/, context: 200_000, output: 100_000 },
  { names: /^claude-3-(?:haiku|opus|sonnet)/, context: 200_000, output: 4_096 },
  { names: /^claude-3-5/, context: 200_000, output: 8_192 },
  { names: /^claude-3-7/, context: 200_000, output: 128_000 },
  { names: /^claude-(?:4-opus|opus-4(?:$|-[01]$|-1-|-2))/, context: 200_000, output: 32_000 },
  { names: /^claude-(?:(?:opus|haiku)-4-5)/, context: 200_000, output: 64_000 },
  { names: /^claude-(?:4-sonnet|sonnet-4)/, context: 1_000_000, output: 64_000 },
  { names: /^claude-(?:opus|sonnet|haiku|fable|mythos)-[4-9]/, context: 1_000_000, output: 128_000 },
  { names: /^gemini-1\.5-pro/, context: 2_097_152, output: 8_192 },
  { names: /^gemini-(?:1|2\.0)/, context: 1_048_576, output: 8_192 },
  { names: /^gemini-(?:2\.5|[3-9]|(?:flash|pro)-)/, context: 1_048_576, output: 65_536 },
]

const UNKNOWN: ModelBounds = { context: undefined, output: undefined }

/**
 * Creates the search for the bounds of a model by its name at a provider. Of several sources, the larger bound counts,
 * because a bound that is too small would let a request use more than its maximum.
 */
export function createModelBounds(lookup: Pick<Lookup, "identify">, { litellm }: Pick<Sources, "litellm">) {
  return (provider: string, name: string): ModelBounds => {
    const { owner, match, listNames } = lookup.identify(provider, name)
    const ids = [...(match ? [match.model.id.toLowerCase()] : []), ...listNames]
    const family = FAMILIES.find(({ names }) => ids.some((id) => names.test(id))) ?? UNKNOWN
    const listed = (owner !== undefined && litellm()?.boundsOf(owner, listNames)) || UNKNOWN
    return {
      context: largest(family.context, listed.context, match?.model.context_window),
      output: largest(family.output, listed.output),
    }
  }
}

function largest(...bounds: readonly (number | undefined)[]): number | undefined {
  const known = bounds.filter((bound) => bound !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}
