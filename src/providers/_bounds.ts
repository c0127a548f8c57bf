import {
  findMembers,
  type Member,
  MemberNames,
  type Members,
  memberValue,
  type SearchedObject,
} from "../kit/json/members.ts"
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
/** The members that `readBounds` reads. */
export const BOUND_NAMES: readonly string[] = [...OUTPUT, ...CHOICES, ...CONFIGS, ...TIER, ...SPEED, "prompt"]
/** The most answers to one request that a provider makes, which is OpenAI's limit. */
const MOST_CHOICES = 128
/** What leaves the output, or the number of answers, open if a body states it more than once. */
const ABOUT_OUTPUT = [...OUTPUT, ...CONFIGS]
const ABOUT_CHOICES = [...CHOICES, ...CONFIGS, "prompt"]
const NAMES = new MemberNames(BOUND_NAMES)
const NAMES_OF_CONFIG = new MemberNames([...OUTPUT_OF_CONFIG, ...CHOICES_OF_CONFIG])

type Meaning = "output" | "choices" | "config" | "prompt" | "serving"

const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ...toEntries("output", [...OUTPUT, ...OUTPUT_OF_CONFIG]),
  ...toEntries("choices", [...CHOICES, ...CHOICES_OF_CONFIG]),
  ...toEntries("config", CONFIGS),
  ...toEntries("serving", [...TIER, ...SPEED]),
  ...toEntries("prompt", ["prompt"]),
])

function toEntries(meaning: Meaning, names: readonly string[]): [string, Meaning][] {
  return names.map((name) => [name, meaning])
}

const NOTHING: RequestBounds = { outputTokens: undefined, choices: 1, tier: undefined, speed: undefined }

/** Finds the members of a body that `readBounds` reads; undefined: it is no JSON object. */
export function findBounds(body: Uint8Array): SearchedObject | undefined {
  const bytes = bytesOf(body)
  const members = findMembers(bytes, NAMES)
  return members && { bytes, members }
}

/**
 * Reads what a JSON body states about the most that its answer may use. The names differ so much that APIs share them.
 * @param json the body with its members of `BOUND_NAMES`, and maybe others; undefined: it is no object
 */
export function readBounds(json: SearchedObject | undefined): RequestBounds {
  if (json === undefined) return NOTHING
  const { bytes, members } = json
  const { found } = members
  const stated: Stated = { output: 0, choices: 0, prompts: 1, isOutputKnown: true, areChoicesKnown: true }
  let isServed = false
  // A request states few of the names, so what it states is looked up, and not all that it could.
  for (const name in found) {
    const member = found[name]!
    const meaning = MEANINGS.get(name)
    if (meaning === "output") stated.output = Math.max(stated.output, readCount(bytes, member))
    else if (meaning === "choices") stated.choices = Math.max(stated.choices, readCount(bytes, member))
    else if (meaning === "prompt") stated.prompts = countPrompts(bytes, member)
    else if (meaning === "config") readConfig(bytes.subarray(member.start, member.end), stated)
    else if (meaning === "serving") isServed = true
  }
  const { ambiguous } = members
  const isOutputKnown = stated.isOutputKnown && !isAmbiguous(members, ABOUT_OUTPUT)
  const areChoicesKnown = stated.areChoicesKnown && !isAmbiguous(members, ABOUT_CHOICES)
  let choices = Math.max(1, stated.choices) * stated.prompts
  if (!areChoicesKnown) choices = Math.max(choices, MOST_CHOICES)
  return {
    outputTokens: stated.output === 0 || !isOutputKnown ? undefined : stated.output * choices,
    choices,
    tier: isServed ? readTier(bytes, members) : undefined,
    speed: isServed || ambiguous !== undefined ? readSpeed(bytes, members) : undefined,
  }
}

/** The largest of the bounds that a body states; 0: it states none. */
interface Stated {
  output: number
  choices: number
  prompts: number
  isOutputKnown: boolean
  areChoicesKnown: boolean
}

/** Reads a configuration in a body. Whether a provider reads this limit or the one outside is not known. */
function readConfig(config: Buffer, stated: Stated): void {
  const inside = findMembers(config, NAMES_OF_CONFIG)
  if (inside === undefined) return
  for (const name in inside.found) {
    const count = readCount(config, inside.found[name]!)
    if (MEANINGS.get(name) === "output") stated.output = Math.max(stated.output, count)
    else stated.choices = Math.max(stated.choices, count)
  }
  stated.isOutputKnown &&= !isAmbiguous(inside, OUTPUT_OF_CONFIG)
  stated.areChoicesKnown &&= !isAmbiguous(inside, CHOICES_OF_CONFIG)
}

function readTier(bytes: Buffer, members: Members): string | undefined {
  const { found } = members
  if (isAmbiguous(members, TIER)) return undefined
  return tierOf(memberValue(bytes, found["service_tier"] ?? found["serviceTier"]))
}

function readSpeed(bytes: Buffer, members: Members): string | undefined {
  if (isAmbiguous(members, SPEED)) return "fast"
  return textOf(memberValue(bytes, members.found["speed"]))?.toLowerCase()
}

/** Returns true if a body states one of these more than once, so that its value is not known. */
function isAmbiguous({ ambiguous }: Members, names: readonly string[]): boolean {
  return ambiguous !== undefined && names.some((name) => ambiguous.has(name))
}

const ZERO = 48
const NINE = 57
/** Numbers with so many digits are exact, and no sum of them is too large. */
const MAX_PLAIN_DIGITS = 9

/** Returns a count; 0 states no limit, and so does a value that is none. */
function readCount(bytes: Buffer, member: Member): number {
  const { start, end } = member
  // Nearly all counts are a few digits. The others are parsed.
  if (end - start > MAX_PLAIN_DIGITS || bytes[start] === ZERO) return countOf(memberValue(bytes, member)) ?? 0
  let count = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte < ZERO || byte > NINE) return countOf(memberValue(bytes, member)) ?? 0
    count = count * 10 + byte - ZERO
  }
  return count
}

/** Bedrock writes the tier into an object. */
function tierOf(value: unknown): string | undefined {
  return textOf(objectOf(value)?.["type"] ?? value)?.toLowerCase()
}

const OPEN_ARRAY = 91
const MAX_PROMPT_BYTES = 1024 * 1024

/** Returns the number of prompts of a legacy completion, each of which gets its own answers. A list of numbers is one prompt. */
function countPrompts(bytes: Buffer, prompt: Member): number {
  if (bytes[prompt.start] !== OPEN_ARRAY) return 1
  const prompts = listOf(memberValue(bytes, prompt, MAX_PROMPT_BYTES))
  return typeof prompts[0] === "number" ? 1 : Math.max(1, prompts.length)
}
