import { expect, test } from "vitest"
import { findBounds, readBounds } from "../../src/providers/_bounds.ts"
import { estimateInput } from "../../src/providers/_estimate.ts"
import { readRequest } from "../../src/providers/_request.ts"
import { countOf } from "../../src/providers/_values.ts"
import { createRandom, type Random } from "./_random.ts"

const OUTPUT = ["max_completion_tokens", "max_output_tokens", "max_tokens", "max_tokens_to_sample", "max_gen_len"]
const CHOICES = ["n", "best_of"]
const CONFIGS = ["generationConfig", "generation_config", "inferenceConfig", "textGenerationConfig"]
const OUTPUT_OF_CONFIG = ["maxOutputTokens", "max_output_tokens", "maxTokens", "max_new_tokens", "maxTokenCount"]
const CHOICES_OF_CONFIG = ["candidateCount", "candidate_count"]

type Members = readonly (readonly [name: string, value: string])[]

const COUNTS = [
  "0",
  "1",
  "7",
  "300",
  "64000",
  "007",
  "1e3",
  "2.5",
  "-4",
  "null",
  '"12"',
  '"many"',
  "123456789012",
  "[1]",
]

function randomMembers(random: Random, names: readonly string[], most: number): Members {
  return Array.from({ length: random.below(most + 1) }, () => {
    const name = random.one(names)
    return [random.below(15) === 0 ? name.toUpperCase() : name, random.one(COUNTS)] as const
  })
}

function toText(members: Members, random: Random): string {
  const space = () => random.one(["", "", " ", "\n"])
  const texts = members.map(([name, value]) => {
    const key = random.below(10) === 0 ? name.replace("a", "\\u0061") : name
    return `${space()}"${key}"${space()}:${space()}${value}${space()}`
  })
  return `${space()}{${texts.join(",")}}`
}

const lastOf = (members: Members, name: string) => members.findLast(([each]) => each === name)?.[1]

/** Whether one of the names occurs twice, or in another case than it should. */
function isOpen(members: Members, names: readonly string[]): boolean {
  return names.some((name) => {
    const same = members.filter(([each]) => each.toLowerCase() === name.toLowerCase())
    return same.length > 1 || same.some(([each]) => each !== name)
  })
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null")
  } catch {
    return undefined
  }
}

function most(members: Members, names: readonly string[]): number {
  return Math.max(0, ...names.map((name) => countOf(parse(lastOf(members, name))) ?? 0))
}

/** What a body states, looked up member by member. */
function plainBounds(members: Members, configs: ReadonlyMap<string, Members>) {
  const inside = CONFIGS.map((name) => configs.get(lastOf(members, name) ?? "") ?? [])
  const output = Math.max(most(members, OUTPUT), ...inside.map((each) => most(each, OUTPUT_OF_CONFIG)))
  const stated = Math.max(1, most(members, CHOICES), ...inside.map((each) => most(each, CHOICES_OF_CONFIG)))
  const prompt = parse(lastOf(members, "prompt"))
  const prompts = Array.isArray(prompt) && typeof prompt[0] !== "number" ? Math.max(1, prompt.length) : 1
  const areChoicesOpen =
    isOpen(members, [...CHOICES, ...CONFIGS, "prompt"]) || inside.some((each) => isOpen(each, CHOICES_OF_CONFIG))
  const isOutputOpen = isOpen(members, [...OUTPUT, ...CONFIGS]) || inside.some((each) => isOpen(each, OUTPUT_OF_CONFIG))
  const choices = areChoicesOpen ? Math.max(128, stated * prompts) : stated * prompts
  const tier = parse(lastOf(members, "service_tier") ?? lastOf(members, "serviceTier")) as string | { type: string }
  const speed = parse(lastOf(members, "speed")) as string | null
  const name = typeof tier === "object" ? tier?.type : tier
  return {
    outputTokens: output === 0 || isOutputOpen ? undefined : output * choices,
    choices,
    tier: isOpen(members, ["service_tier", "serviceTier"]) ? undefined : name?.toLowerCase() || undefined,
    speed: isOpen(members, ["speed"]) ? "fast" : speed?.toLowerCase() || undefined,
  }
}

test("the bounds of random bodies are those that a look at each member gives, in a pass of their own or in that of the model", () => {
  const random = createRandom(11)
  for (let round = 0; round < 1_000; round++) {
    const configs = new Map<string, Members>()
    const config = () => {
      const members = randomMembers(random, [...OUTPUT_OF_CONFIG, ...CHOICES_OF_CONFIG], 3)
      const text = toText(members, random).trim()
      configs.set(text, members)
      return text
    }
    const others = (): Members => [
      ["model", '"gpt-5"'],
      ["messages", '[{"max_tokens":5}]'],
      [random.one(CONFIGS), random.one([config(), config(), "null"])],
      ["prompt", random.one(['"a"', '["a","b"]', "[1,2]", "[]", "[[1],[2],[3]]"])],
      [random.one(["service_tier", "serviceTier"]), random.one(['"Flex"', '{"type":"priority"}', "null"])],
      ["speed", random.one(['"Fast"', '""', "null"])],
    ]
    const members: Members = [
      ...randomMembers(random, [...OUTPUT, ...CHOICES], 3),
      ...others().filter(() => random.below(3) === 0),
      ...others().filter(() => random.below(20) === 0),
    ]
    const body = Buffer.from(toText(members, random))
    const expected = plainBounds(members, configs)
    expect([String(body), readBounds(findBounds(body))]).toEqual([String(body), expected])
    expect([String(body), readBounds(readRequest({ headers: {}, body } as never).json)]).toEqual([
      String(body),
      expected,
    ])
  }
})

/** Counts the texts of a body, as `estimateInput` says it does, one string after the other. */
function plainEstimate(body: Buffer, sampledBytes: number): number {
  let ascii = 0
  let wide = 0
  let more = 0
  const count = (bytes: string) => {
    const text = bytes
      .replace(/\\u[dD][c-fC-F].{2}/gs, "")
      .replace(/\\u.{4}/gs, "\u00ff")
      .replace(/\\[\s\S]/g, "x")
    const all = [...text].map((each) => each.charCodeAt(0))
    const found = { ascii: all.filter((byte) => byte < 0x80).length, wide: all.filter((byte) => byte >= 0xc0).length }
    return found
  }
  for (const [string, inner = ""] of body.toString("latin1").matchAll(/"((?:\\[\s\S]|[^"\\])*)"/g)) {
    if (string.length > 1024 && !string.slice(0, 1024).includes(" ")) more += 800
    else if (string.length <= sampledBytes) {
      const length = count(inner)
      ascii += length.ascii
      wide += length.wide
    } else {
      const sample = count(inner.slice(0, sampledBytes))
      more += Math.ceil((Math.ceil(sample.ascii / 4 + sample.wide * 0.75) * inner.length) / sampledBytes)
    }
  }
  return Math.ceil(ascii / 4 + wide * 0.75) + more
}

test("the input of random bodies is what counting each of its strings gives", () => {
  const random = createRandom(12)
  const words = ["word ", "x", "\\n", '\\"', "\\\\", "\\u00e9", "\\ud83c\\udf0d", "世界", "é", "🌍", " "]
  for (let round = 0; round < 400; round++) {
    const text = () => {
      const plain = random.below(2) === 0
      return Array.from({ length: random.below(random.one([3, 30, 280])) }, () =>
        plain ? random.one(words.slice(0, 3)) : random.one(words),
      ).join("")
    }
    const gap = () => " ".repeat(random.one([0, 0, 1, 20]))
    const members = Array.from(
      { length: random.below(6) },
      () =>
        `${gap()}"${text()}"${gap()}:${random.one(["1", `"${text()}"`, `["${text()}",${gap()}"${"A".repeat(random.below(3000))}"]`])}`,
    )
    const body = Buffer.from(`{${members.join(",")}}`)
    for (const sampled of [Number.POSITIVE_INFINITY, 100_000]) {
      expect([String(body), estimateInput(body, sampled)]).toEqual([String(body), plainEstimate(body, sampled)])
    }
  }
})
