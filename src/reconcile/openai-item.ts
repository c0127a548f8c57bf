import type { BillLine, Bucket } from "../core/reconciliation.ts"
import { createTable } from "../core/table.ts"

/** What the text of a cost line says. */
type ItemMeaning = Pick<BillLine, "model" | "tier" | "bucket">

/** Texts such as `priority | gpt-5.6-sol, output, long context` or `gpt-image-1 text, cached input`. */
const MODEL_ITEM =
  /^(?:(?<tier>[a-z ]+?) ?\| ?)?(?<model>[\w.:/-]+)(?: (?<kind>text|audio|image))?(?:, (?<part>[a-z_ ]+))?(?:, (?:long|short) context)?$/i
const TIERS = new Set(["standard", "default", "batch", "flex", "priority", "scale"])
/** A model's name has a digit or a hyphen, which tells it from other items of one word. */
const MODEL_NAME = /[\d-]/

const PARTS: Readonly<Record<string, Bucket>> = createTable({
  input: "input",
  "input tokens": "input",
  "cached input": "cache_read",
  "cached input tokens": "cache_read",
  "cache write": "cache_write",
  "cache writes": "cache_write",
  output: "output",
  "output tokens": "output",
})
const PARTS_OF_KINDS: Readonly<Record<string, Bucket>> = createTable({
  "audio input": "audio_input",
  "audio output": "audio_output",
  "image input": "image_input",
  "image output": "image_output",
})
const OTHER_ITEMS: readonly (readonly [RegExp, Bucket])[] = [
  [/web search|file search|tool call/i, "tool"],
  [/code interpreter|container|session/i, "session"],
  [/storage/i, "storage"],
  [/credit|grant|refund|discount/i, "credit"],
  [/\b(?:sales )?tax\b|\bVAT\b/i, "tax"],
]

/**
 * Returns what a line item of OpenAI's costs says, where it is clear. Seen in answers until November 2026:
 * `gpt-5.5-2026-04-23, cached input`, `gpt-audio-mini-2025-12-15 audio, input`, `priority | gpt-5.6-sol, output`,
 * `web search tool calls`, `assistants api | file search`, and in older answers the model alone.
 */
export function readLineItem(item: string): ItemMeaning {
  const { tier, model, kind, part } = MODEL_ITEM.exec(item)?.groups ?? {}
  const isModel = model !== undefined && MODEL_NAME.test(model) && (tier === undefined || TIERS.has(tier.toLowerCase()))
  if (!isModel) {
    return {
      model: undefined,
      tier: undefined,
      bucket: OTHER_ITEMS.find(([words]) => words.test(item))?.[1] ?? "other",
    }
  }
  return { model, tier: toTier(tier), bucket: toBucket(kind?.toLowerCase(), part?.toLowerCase().replaceAll("_", " ")) }
}

/** OpenAI calls the standard tier `default`. */
export function toTier(tier: string | undefined): string | undefined {
  const lower = tier?.toLowerCase()
  return lower === "default" ? "standard" : lower
}

function toBucket(kind: string | undefined, part: string | undefined): Bucket {
  if (part === undefined) return "all"
  return PARTS_OF_KINDS[`${kind} ${part}`] ?? PARTS_OF_KINDS[part] ?? PARTS[part] ?? "other"
}
