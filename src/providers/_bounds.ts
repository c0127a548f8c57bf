import { findMembers, type Member, memberValue } from "../kit/json/members.ts"
import { bytesOf, countOf, listOf, objectOf, textOf } from "./_values.ts"

/** What a request states about the most that its answer may use, and about how it wants to be served. */
export interface RequestBounds {
  /** The most output tokens of all its answers together; undefined: the request states no limit. */
  readonly outputTokens: number | undefined
  /** The number of answers that it asks for. */
  readonly choices: number
  /** The service tier, in lower case. */
  readonly tier: string | undefined
  readonly speed: string | undefined
}

/** The names of limits on the output: OpenAI's, Anthropic's, and those of models at Bedrock. */
const OUTPUT = ["max_completion_tokens", "max_output_tokens", "max_tokens", "max_tokens_to_sample", "max_gen_len"]
const CHOICES = ["n", "best_of"]
/** The members that hold the same facts in the APIs of Gemini and Bedrock. */
const CONFIGS = ["generationConfig", "generation_config", "inferenceConfig", "textGenerationConfig"]
const OUTPUT_OF_CONFIG = ["maxOutputTokens", "max_output_tokens", "maxTokens", "max_new_tokens", "maxTokenCount"]
const CHOICES_OF_CONFIG = ["candidateCount", "candidate_count"]
const HOW = ["service_tier", "serviceTier", "speed", "prompt"]
const NAMES = [...OUTPUT, ...CHOICES, ...CONFIGS, ...HOW]
const NAMES_OF_CONFIG = [...OUTPUT_OF_CONFIG, ...CHOICES_OF_CONFIG]

const NOTHING: RequestBounds = { outputTokens: undefined, choices: 1, tier: undefined, speed: undefined }

/** Reads what a JSON body states about the most that its answer may use. The names differ so much that APIs share them. */
export function readBounds(body: Uint8Array): RequestBounds {
  const bytes = bytesOf(body)
  const found = findMembers(bytes, NAMES)?.found
  if (found === undefined) return NOTHING
  let output = largest(bytes, found, OUTPUT)
  let choices = largest(bytes, found, CHOICES) ?? 1
  for (const name of CONFIGS) {
    const config = found[name]
    if (config === undefined) continue
    const part = bytes.subarray(config.start, config.end)
    const inside = findMembers(part, NAMES_OF_CONFIG)?.found ?? {}
    output = largest(part, inside, OUTPUT_OF_CONFIG) ?? output
    choices = Math.max(choices, largest(part, inside, CHOICES_OF_CONFIG) ?? 1)
  }
  choices *= countPrompts(bytes, found["prompt"])
  return {
    outputTokens: output === undefined ? undefined : output * choices,
    choices,
    tier: tierOf(memberValue(bytes, found["service_tier"] ?? found["serviceTier"])),
    speed: textOf(memberValue(bytes, found["speed"]))?.toLowerCase(),
  }
}

/** Returns the largest count of the members with these names; 0 states no limit. */
function largest(bytes: Buffer, found: Readonly<Record<string, Member>>, names: readonly string[]): number | undefined {
  let most = 0
  for (const name of names)
    if (found[name] !== undefined) most = Math.max(most, countOf(memberValue(bytes, found[name])) ?? 0)
  return most === 0 ? undefined : most
}

/** Bedrock writes the tier into an object. */
function tierOf(value: unknown): string | undefined {
  return textOf(objectOf(value)?.["type"] ?? value)?.toLowerCase()
}

const OPEN_ARRAY = 91
const MAX_PROMPT_BYTES = 1024 * 1024

/** Returns the number of prompts of a legacy completion, each of which gets its own answers. A list of numbers is one prompt. */
function countPrompts(bytes: Buffer, prompt: Member | undefined): number {
  if (prompt === undefined || bytes[prompt.start] !== OPEN_ARRAY) return 1
  const prompts = listOf(memberValue(bytes, prompt, MAX_PROMPT_BYTES))
  return typeof prompts[0] === "number" ? 1 : Math.max(1, prompts.length)
}
