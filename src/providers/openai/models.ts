import type { Encoding } from "../../core/usage.ts"

interface Family {
  readonly names: RegExp
  readonly encoding: Encoding
  /** The most tokens that the model reads (`context`) and writes (`output`), as its maker publishes them. */
  readonly context: number
  readonly output: number
}

/**
 * OpenAI's models by the tokenizer that counts them; the first that fits. Quoted from memory of OpenAI's model pages on
 * 2026-11-21.
 */
const FAMILIES: readonly Family[] = [
  { names: /^gpt-5(?:$|-)/, encoding: "o200k_base", context: 400_000, output: 128_000 },
  { names: /^gpt-(?:[5-9]|oss)/, encoding: "o200k_base", context: 1_050_000, output: 128_000 },
  { names: /^gpt-4\.1/, encoding: "o200k_base", context: 1_047_576, output: 32_768 },
  { names: /^(?:chatgpt|gpt)-4o/, encoding: "o200k_base", context: 128_000, output: 16_384 },
  { names: /^gpt-4\.5/, encoding: "o200k_base", context: 128_000, output: 16_384 },
  { names: /^(?:o[1-9]|codex)(?:$|-)/, encoding: "o200k_base", context: 200_000, output: 100_000 },
  { names: /^gpt-4-(?:turbo|1106|0125)/, encoding: "cl100k_base", context: 128_000, output: 4_096 },
  { names: /^gpt-4/, encoding: "cl100k_base", context: 32_768, output: 32_768 },
  { names: /^gpt-3\.5/, encoding: "cl100k_base", context: 16_385, output: 4_096 },
]

/** Returns the family of a model by its name; undefined when it is not known as one of OpenAI's. */
export function findFamily(model: string | undefined): Family | undefined {
  if (model === undefined) return undefined
  // Resellers write the maker before the name. Tuned models have the name of their base after `ft:`.
  const name = model.toLowerCase().replace(/^ft:/, "").replace(/^.*\//, "")
  return FAMILIES.find(({ names }) => names.test(name))
}
