import type { Countable } from "../../core/usage.ts"
import type { ProviderRequest } from "../_dialect.ts"
import { estimateInput, outputLimit, startOf, tokensPerCall } from "../_estimate.ts"
import type { Evidence } from "../_evidence.ts"
import { readContext } from "../_socket-message.ts"
import { bytesOf, type JsonObject, objectOf } from "../_values.ts"
import type { GeneratedCounter } from "./generated.ts"
import { findFamily } from "./models.ts"
import { toReading } from "./reading.ts"

/** The tokenizer would take seconds for a larger request, so its length is counted instead. */
const MAX_TOKENIZED_BYTES = 1024 * 1024

type Request = Pick<ProviderRequest, "method" | "body" | "readStart">

/** Returns the tokens of the request and of as much of the answer as came, estimated by the length of their texts. */
export function estimateTokens(request: Request, counter: GeneratedCounter, model: string | undefined): JsonObject {
  const output = counter.tokens(tokensPerCall(model)) + tokensAroundText(counter, model)
  const counted = {
    input: estimateInput(startOf(request)) + contextOf(request),
    output,
    reasoning: hiddenReasoning(counter, model, output),
  }
  const tokens = toCountedTokens(counted, limitsOf(request, model), "characters")
  return hidesReasoning(counter, model) ? { ...tokens, hides_reasoning: true } : tokens
}

/** Returns the tokens of a request whose answer has no text, such as that of embeddings; undefined: it has no text either. */
export function estimateRequest(request: Request): JsonObject | undefined {
  const input = estimateInput(startOf(request))
  return input > 0 ? { input_tokens: input, output_tokens: 0, tokenizer: "characters" } : undefined
}

/** Returns the tokens of the conversation that a response in a session continues, and which its request does not repeat. */
function contextOf({ method, body }: Request): number {
  if (method !== "GET") return 0
  const { text, audio, image } = readContext(bytesOf(body))
  return text + audio + image
}

/** Returns the texts that a tokenizer can count better than their length does; undefined: no tokenizer knows the model. */
export function createCountable(given: {
  readonly request: Request
  readonly counter: GeneratedCounter
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
    toReading({ input: counted = estimateInput(start), output }) {
      const input = counted + contextOf(request)
      const perCall = tokensPerCall(estimated.model)
      const generated = text.length === 0 ? counter.tokens(perCall) : output + counter.calls * perCall
      const around = tokensAroundText(counter, estimated.model)
      const visible = generated + around
      const reasoning = hiddenReasoning(counter, estimated.model, visible)
      const tokens = toCountedTokens({ input, output: visible, reasoning }, limits, family.encoding)
      const counts = { ...objectOf(estimated.usage?.["estimated_from_text"]), ...tokens }
      return toReading({ ...estimated, usage: { ...estimated.usage, estimated_from_text: counts } })
    },
  }
}

/**
 * The marks that GPT-5 and later models write around a text are billed as output: the median over recorded streams
 * without reasoning, measured on 2026-11-28.
 */
const TOKENS_AROUND_TEXT = 4
const MODELS_WITH_MARKS = /gpt-(?:[5-9]|oss)/i

function tokensAroundText(counter: GeneratedCounter, model: string | undefined): number {
  return counter.hasText && model !== undefined && MODELS_WITH_MARKS.test(model) ? TOKENS_AROUND_TEXT : 0
}

/** The tokens of hidden reasoning for each token that is shown: medians over recorded answers that reasoned. */
const HIDDEN_PER_VISIBLE: readonly (readonly [RegExp, number])[] = [
  [/^(?:o\d|gpt-5(?:$|-))/, 4.9],
  [/^gpt-/, 0.65],
]

/** Models that reason, of which chat shows neither the text nor a sign. */
const HIDES_REASONING = /^(?:o\d|gpt-[5-9])/

/**
 * Returns the tokens of reasoning that the answer does not show: by the length of its encrypted form, or else in proportion
 * to what is shown. 0: nothing says that the model reasoned.
 */
function hiddenReasoning(counter: GeneratedCounter, model: string | undefined, visible: number): number {
  if (!counter.hasHiddenReasoning) return 0
  if (counter.encryptedReasoning > 0) return counter.encryptedReasoning
  const known = HIDDEN_PER_VISIBLE.find(([names]) => names.test(model ?? ""))
  return Math.round(visible * (known?.[1] ?? 0))
}

function hidesReasoning(counter: GeneratedCounter, model: string | undefined): boolean {
  return counter.isChat && HIDES_REASONING.test(model ?? "")
}

interface Tokens {
  readonly input: number
  readonly output: number
  readonly reasoning?: number
}

/** `output_tokens` includes the reasoning. */
function toCountedTokens({ input, output, reasoning = 0 }: Tokens, limits: Tokens, tokenizer: string): JsonObject {
  const all = Math.min(output + reasoning, limits.output)
  return {
    input_tokens: Math.min(input, limits.input),
    output_tokens: all,
    ...(reasoning > 0 ? { reasoning_tokens: Math.min(reasoning, all) } : {}),
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
