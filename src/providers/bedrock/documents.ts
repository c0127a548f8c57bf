import type { Shape } from "../../kit/json/prune.ts"
import { QuotedName } from "../../kit/json/quoted-name.ts"
import { countOf, type JsonObject, listOf, objectOf } from "../_values.ts"
import { MESSAGE_SHAPE } from "../anthropic/collector.ts"

/** The member that Bedrock adds to the last chunk of a model's stream. */
export const METRICS = "amazon-bedrock-invocationMetrics"

/** The members that are read of one answer, of any family of models. */
export const SHAPE: Shape = {
  ...MESSAGE_SHAPE,
  type: true,
  metadata: { usage: true },
  inputTextTokenCount: true,
  totalOutputTextTokenCount: true,
  results: [{ tokenCount: true }],
  prompt_token_count: true,
  generation_token_count: true,
  serviceTier: true,
  performanceConfig: true,
  [METRICS]: true,
  "amazon-bedrock-guardrailAction": true,
}

const MESSAGE_TYPES: ReadonlySet<unknown> = new Set(["message", "message_start", "message_delta"])

/** Returns true for an answer in the form of Anthropic's Messages, or an event of one. */
export function isMessage(document: JsonObject): boolean {
  return MESSAGE_TYPES.has(document["type"]) || objectOf(document["usage"])?.["input_tokens"] !== undefined
}

/** The counts that Llama and Titan write beside their text. */
const FLAT_COUNTS = [
  "prompt_token_count",
  "generation_token_count",
  "inputTextTokenCount",
  "totalOutputTextTokenCount",
] as const

/** Returns the usage object of an answer or a chunk, or the counts beside its text; undefined: it has none. */
export function countsOf(document: JsonObject): JsonObject | undefined {
  const usage = objectOf(document["usage"]) ?? objectOf(objectOf(document["metadata"])?.["usage"])
  if (usage) return usage
  const counts: Record<string, number> = {}
  for (const name of FLAT_COUNTS) {
    // Llama states the prompt only in its first chunk; the others have null.
    const count = countOf(document[name])
    if (count !== undefined) counts[name] = count
  }
  const written = tokensOfResults(document["results"])
  if (written !== undefined) counts["totalOutputTextTokenCount"] = written
  return Object.keys(counts).length > 0 ? counts : undefined
}

/** Returns the tokens of Titan's results; undefined: there are none. */
function tokensOfResults(results: unknown): number | undefined {
  let sum: number | undefined
  for (const result of listOf(results)) {
    const count = countOf(objectOf(result)?.["tokenCount"])
    if (count !== undefined) sum = (sum ?? 0) + count
  }
  return sum
}

const BYTES = new QuotedName("bytes")
const QUOTE = 34

/** Returns the model's bytes in a chunk, which are in base64; undefined: there are none. */
export function decodeChunk(payload: Buffer): Buffer | undefined {
  const name = BYTES.indexOf(payload)
  const start = name < 0 ? -1 : payload.indexOf(QUOTE, name + BYTES.length)
  const end = start < 0 ? -1 : payload.indexOf(QUOTE, start + 1)
  return end < 0 ? undefined : Buffer.from(payload.toString("latin1", start + 1, end), "base64")
}

/** Returns undefined for anything but a JSON object. */
export function parseObject(data: Buffer): JsonObject | undefined {
  try {
    return objectOf(JSON.parse(data.toString("utf8")))
  } catch {
    return undefined
  }
}
