import { expect, test } from "vitest"
import { readLineItem } from "../../../src/reconcile/openai-item.ts"

test.each([
  ["gpt-5.5-2026-04-23, input", "gpt-5.5-2026-04-23", undefined, "input"],
  ["gpt-5.5-2026-04-23, cached input", "gpt-5.5-2026-04-23", undefined, "cache_read"],
  ["gpt-5.6-sol, cache writes", "gpt-5.6-sol", undefined, "cache_write"],
  ["priority | gpt-5.6-sol, output, long context", "gpt-5.6-sol", "priority", "output"],
  ["batch | o3, input", "o3", "batch", "input"],
  ["default | o3, input_tokens", "o3", "standard", "input"],
  ["gpt-audio-mini-2025-12-15 audio, input", "gpt-audio-mini-2025-12-15", undefined, "audio_input"],
  ["gpt-audio-mini-2025-12-15 text, output", "gpt-audio-mini-2025-12-15", undefined, "output"],
  ["gpt-image-2.5-flare image, output", "gpt-image-2.5-flare", undefined, "image_output"],
  ["gpt-image-2.5-sunburst text, cached input", "gpt-image-2.5-sunburst", undefined, "cache_read"],
  ["ft:gpt-4o-mini-2024-07-18:acme::abc123, output", "ft:gpt-4o-mini-2024-07-18:acme::abc123", undefined, "output"],
  ["gpt-4o-2024-08-06", "gpt-4o-2024-08-06", undefined, "all"],
  ["gpt-4o-2024-08-06, training", "gpt-4o-2024-08-06", undefined, "other"],
  ["web search tool calls", undefined, undefined, "tool"],
  ["assistants api | file search", undefined, undefined, "tool"],
  ["code interpreter sessions", undefined, undefined, "session"],
  ["Vector storage", undefined, undefined, "storage"],
  ["Promotional credit", undefined, undefined, "credit"],
  ["Sales tax", undefined, undefined, "tax"],
  ["miscellaneous", undefined, undefined, "other"],
  ["GPT-4o mini fine tuning, hosted", undefined, undefined, "other"],
  ["", undefined, undefined, "other"],
] as const)("the line item %j means model %s, tier %s and bucket %s", (item, model, tier, bucket) => {
  expect(readLineItem(item)).toEqual({ model, tier, bucket })
})
