import { NO_READING, NO_USAGE, type Reading } from "../../core/usage.ts"
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
import { bytesOf } from "../_values.ts"
import { findFamily } from "./models.ts"
import type { Operation } from "./paths.ts"

/** The members that carry new text in the events of each kind of stream; other streams are not billed by text. */
const TEXT: { readonly [K in Operation]?: TextNames } = {
  chat: textNames("content", "arguments", "reasoning_content", "reasoning", "refusal"),
  completions: textNames("text"),
  responses: textNames("delta"),
}

export function createOpenAiCounter(operation: Operation): TextCounter | undefined {
  const names = TEXT[operation]
  return names && createTextCounter(names)
}

/** What is known of a cut answer beside its text. */
export interface Cut {
  readonly model: string | undefined
  readonly tier: string | undefined
  readonly geo: string | undefined
}

/** A larger request is counted by its length: the tokenizer would take seconds. */
const MAX_TOKENIZED_BYTES = 1024 * 1024

export type RequestBody = Pick<ProviderRequest, "body" | "readStart">

/** Usage counted from the texts of the request and of as much of the answer as came. */
export function estimateUsage({ body, readStart }: RequestBody, counter: TextCounter, cut: Cut): Reading {
  const { model, tier, geo } = cut
  const family = findFamily(model)
  const limit = Math.min(
    outputLimit(bytesOf(body)) ?? Number.POSITIVE_INFINITY,
    family?.output ?? Number.POSITIVE_INFINITY,
  )
  const request = bytesOf(readStart?.(MAX_COUNTED_BYTES) ?? body)
  const byLength = { input: estimateInput(request), output: counter.tokens() }

  function toReading(counted: { readonly input: number; readonly output: number }, tokenizer: string): Reading {
    const input = Math.min(counted.input, family?.context ?? Number.POSITIVE_INFINITY)
    const output = Math.min(counted.output, limit)
    return {
      ...NO_READING,
      model,
      parts: [{ model, usage: { ...NO_USAGE, input, output }, contextTokens: input, role: "answer" }],
      tier,
      geo,
      raw: {
        estimated_from_text: { input_tokens: input, output_tokens: output, tokenizer },
        ...(tier ? { service_tier: tier } : {}),
        ...(geo ? { billed_beside: { region: geo } } : {}),
      },
      source: "estimated",
    }
  }

  const reading = toReading(byLength, "characters")
  if (!family) return reading
  const { encoding } = family
  const { text, all } = counter.kept()
  return {
    ...reading,
    countable: {
      encoding,
      request: request.length <= MAX_TOKENIZED_BYTES ? request : undefined,
      output: text,
      outputScale: text.length === 0 ? 1 : all / text.length,
      toReading: ({ input, output }) =>
        toReading({ input: input ?? byLength.input, output: text.length === 0 ? byLength.output : output }, encoding),
    },
  }
}
