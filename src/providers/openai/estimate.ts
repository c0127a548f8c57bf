import type { Countable } from "../../core/usage.ts"
import type { ProviderRequest } from "../_dialect.ts"
import {
  createTextCounter,
  estimateInput,
  MAX_COUNTED_BYTES,
  outputLimit,
  type TextCounter,
  type TextNames,
  textNames,
} from "../_estimate.ts"
import type { Evidence } from "../_evidence.ts"
import { bytesOf, type JsonObject } from "../_values.ts"
import { findFamily } from "./models.ts"
import { toReading } from "./reading.ts"
import type { Kind } from "./routes.ts"

/** The members that carry new text in the events of each kind of stream. Other streams are not billed by text. */
const TEXT: { readonly [K in Kind]?: TextNames } = {
  chat: textNames("content", "arguments", "reasoning_content", "reasoning", "refusal"),
  completions: textNames("text"),
  responses: textNames("delta"),
}

/** Returns a counter for the text of a stream; undefined when such a stream is not billed by its text. */
export function createOpenAiCounter(kind: Kind | undefined): TextCounter | undefined {
  const names = kind && TEXT[kind]
  return names && createTextCounter(names)
}

/** The tokenizer would take seconds for a larger request, so its length is counted instead. */
const MAX_TOKENIZED_BYTES = 1024 * 1024

type Request = Pick<ProviderRequest, "body" | "readStart">

/** Returns the tokens of the request and of as much of the answer as came, estimated by the length of their texts. */
export function estimateTokens(request: Request, counter: TextCounter, model: string | undefined): JsonObject {
  const counted = { input: estimateInput(startOf(request)), output: counter.tokens() }
  return toCountedTokens(counted, limitsOf(request, model), "characters")
}

/** Returns the texts that a tokenizer can count better than their length does; undefined: no tokenizer knows the model. */
export function createCountable(given: {
  readonly request: Request
  readonly counter: TextCounter
  readonly estimated: Evidence
}): Countable | undefined {
  const { request, counter, estimated } = given
  const family = findFamily(estimated.model)
  if (!family) return undefined
  const start = startOf(request)
  const limits = limitsOf(request, estimated.model)
  const { text, all } = counter.kept()
  return {
    encoding: family.encoding,
    request: start.length <= MAX_TOKENIZED_BYTES ? start : undefined,
    output: text,
    outputScale: text.length === 0 ? 1 : all / text.length,
    toReading(counted) {
      const input = counted.input ?? estimateInput(start)
      const output = text.length === 0 ? counter.tokens() : counted.output
      const tokens = toCountedTokens({ input, output }, limits, family.encoding)
      return toReading({ ...estimated, usage: { ...estimated.usage, estimated_from_text: tokens } })
    },
  }
}

interface Tokens {
  readonly input: number
  readonly output: number
}

function toCountedTokens({ input, output }: Tokens, limits: Tokens, tokenizer: string): JsonObject {
  return {
    input_tokens: Math.min(input, limits.input),
    output_tokens: Math.min(output, limits.output),
    tokenizer,
  }
}

/** The most that the model reads, and the most that the request and the model let it write. */
function limitsOf({ body }: Request, model: string | undefined): Tokens {
  const family = findFamily(model)
  const asked = outputLimit(bytesOf(body)) ?? Number.POSITIVE_INFINITY
  return {
    input: family?.context ?? Number.POSITIVE_INFINITY,
    output: Math.min(asked, family?.output ?? Number.POSITIVE_INFINITY),
  }
}

function startOf({ body, readStart }: Request): Buffer {
  return bytesOf(readStart?.(MAX_COUNTED_BYTES) ?? body)
}
