import { NO_USAGE, type Reading } from "../../core/usage.ts"
import { createTextCounter, estimateInput, outputLimit, type TextCounter } from "../_estimate.ts"
import type { Operation } from "./paths.ts"

/** The members that carry new text in the events of each kind of stream; other streams are not billed by text. */
const TEXT: { readonly [K in Operation]?: readonly string[] } = {
  chat: ["content", "arguments", "reasoning_content", "reasoning", "refusal"],
  completions: ["text"],
  responses: ["delta"],
}

export function createOpenAiCounter(operation: Operation): TextCounter | undefined {
  const names = TEXT[operation]
  return names && createTextCounter(names)
}

/** Usage counted from the texts of the request and of as much of the answer as came. */
export function estimateUsage(request: Buffer, counter: TextCounter, model: string | undefined) {
  const input = estimateInput(request)
  const output = Math.min(counter.tokens(), outputLimit(request) ?? Number.POSITIVE_INFINITY)
  return {
    parts: [{ model, usage: { ...NO_USAGE, input, output }, contextTokens: input, role: "answer" }],
    raw: { estimated_from_text: { input_tokens: input, output_tokens: output } },
    source: "estimated",
  } satisfies Partial<Reading>
}
