import { findMembers, type Member, type Members, memberValue } from "../kit/json/members.ts"
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
const TIER = ["service_tier", "serviceTier"]
const SPEED = ["speed"]
const NAMES = [...OUTPUT, ...CHOICES, ...CONFIGS, ...TIER, ...SPEED, "prompt"]
/** The most answers to one request that a provider makes, which is OpenAI's limit. */
const MOST_CHOICES = 128
/** What leaves the output, or the number of answers, open if a body states it more than once. */
const ABOUT_OUTPUT = [...OUTPUT, ...CONFIGS]
const ABOUT_CHOICES = [...CHOICES, ...CONFIGS, "prompt"]
const NAMES_OF_CONFIG = [...OUTPUT_OF_CONFIG, ...CHOICES_OF_CONFIG]

const NOTHING: RequestBounds = { outputTokens: undefined, choices: 1, tier: undefined, speed: undefined }

/** Reads what a JSON body states about the most that its answer may use. The names differ so much that APIs share them. */
export function readBounds(body: Uint8Array): RequestBounds {
  const bytes = bytesOf(body)
  const members = findMembers(bytes, NAMES)
  if (members === undefined) return NOTHING
  const { found } = members
  let output = largest(bytes, found, OUTPUT)
  let choices = largest(bytes, found, CHOICES) ?? 1
  let isOutputKnown = !isAmbiguous(members, ABOUT_OUTPUT)
  let areChoicesKnown = !isAmbiguous(members, ABOUT_CHOICES)
  for (const name of CONFIGS) {
    const config = found[name]
    if (config === undefined) continue
    const part = bytes.subarray(config.start, config.end)
    const inside = findMembers(part, NAMES_OF_CONFIG)
    if (inside === undefined) continue
    // Whether a provider reads this limit or the one outside is not known.
    output = larger(output, largest(part, inside.found, OUTPUT_OF_CONFIG))
    choices = Math.max(choices, largest(part, inside.found, CHOICES_OF_CONFIG) ?? 1)
    isOutputKnown &&= !isAmbiguous(inside, OUTPUT_OF_CONFIG)
    areChoicesKnown &&= !isAmbiguous(inside, CHOICES_OF_CONFIG)
  }
  choices *= countPrompts(bytes, found["prompt"])
  if (!areChoicesKnown) choices = Math.max(choices, MOST_CHOICES)
  const isTierKnown = !isAmbiguous(members, TIER)
  return {
    outputTokens: output === undefined || !isOutputKnown ? undefined : output * choices,
    choices,
    tier: isTierKnown ? tierOf(memberValue(bytes, found["service_tier"] ?? found["serviceTier"])) : undefined,
    speed: isAmbiguous(members, SPEED) ? "fast" : textOf(memberValue(bytes, found["speed"]))?.toLowerCase(),
  }
}

/** Returns true if a body states one of these more than once, so that its value is not known. */
function isAmbiguous({ ambiguous }: Members, names: readonly string[]): boolean {
  return ambiguous !== undefined && names.some((name) => ambiguous.has(name))
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)
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
