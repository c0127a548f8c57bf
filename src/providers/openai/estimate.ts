import type { Countable } from "../../core/usage.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { estimateInput, outputLimit, startOf, tokensPerCall } from "../_estimate.ts"
import type { Evidence } from "../_evidence.ts"
import type { TextCounter } from "../_text-counter.ts"
import { bytesOf, type JsonObject } from "../_values.ts"
import { findFamily } from "./models.ts"
import { toReading } from "./reading.ts"

/** The tokenizer would take seconds for a larger request, so its length is counted instead. */
const MAX_TOKENIZED_BYTES = 1024 * 1024

type Request = Pick<ProviderRequest, "body" | "readStart">

/** Returns the tokens of the request and of as much of the answer as came, estimated by the length of their texts. */
export function estimateTokens(request: Request, counter: TextCounter, model: string | undefined): JsonObject {
  const counted = {
    input: estimateInput(startOf(request)),
    output: counter.tokens(tokensPerCall(model)) + tokensAroundText(counter, model),
  }
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
    toReading({ input = estimateInput(start), output }) {
      const perCall = tokensPerCall(estimated.model)
      const counted = text.length === 0 ? counter.tokens(perCall) : output + counter.calls * perCall
      const around = tokensAroundText(counter, estimated.model)
      const tokens = toCountedTokens({ input, output: counted + around }, limits, family.encoding)
      return toReading({ ...estimated, usage: { ...estimated.usage, estimated_from_text: tokens } })
    },
  }
}

/**
 * The marks that GPT-5 and later models write around a text are billed as output: the median over recorded streams
 * without reasoning, measured on 2026-11-28.
 */
const TOKENS_AROUND_TEXT = 4
const MODELS_WITH_MARKS = /gpt-(?:[5-9]|oss)/i

function tokensAroundText(counter: TextCounter, model: string | undefined): number {
  return counter.hasText && model !== undefined && MODELS_WITH_MARKS.test(model) ? TOKENS_AROUND_TEXT : 0
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
