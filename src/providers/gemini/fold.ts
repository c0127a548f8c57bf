import { NO_READING } from "../../core/usage.ts"
import type { Shape } from "../../kit/json-prune.ts"
import type { Fold, JsonObject } from "../_fold.ts"
import { boundedCopy } from "../_raw.ts"
import { listOf, objectOf, textOf } from "../_values.ts"
import { createGrounding } from "./grounding.ts"
import { readUsage, saysTokens } from "./usage.ts"

export interface GeminiFoldOptions {
  readonly free: boolean
  /** Embeddings have prices by modality; generation bills an image like text. */
  readonly splitImages: boolean
  readonly requestedModel: string | undefined
}

/** Folds Gemini's answers: each chunk repeats the counts so far, so the last that has a prompt count is the answer's. */
export function createGeminiFold({ free, splitImages, requestedModel }: GeminiFoldOptions): Fold {
  let model: string | undefined
  let usage: JsonObject | undefined
  let tier: string | undefined
  let finished = false
  let streamed = 0
  const grounding = createGrounding()

  return {
    shape: SHAPE,
    wants: () => true,
    add(document) {
      // The code-assist surface wraps each answer in `response`.
      const answer = objectOf(document["response"]) ?? document
      streamed++
      model = textOf(answer["modelVersion"]) ?? model
      const said = objectOf(answer["usageMetadata"])
      if (said) {
        tier = textOf(said["serviceTier"])?.toLowerCase() ?? textOf(said["trafficType"])?.toLowerCase() ?? tier
        if (said["promptTokenCount"] !== undefined || (usage === undefined && saysTokens(said))) usage = said
      }
      for (const element of listOf(answer["candidates"])) {
        const candidate = objectOf(element)
        if (!candidate) continue
        if (textOf(candidate["finishReason"])) finished = true
        grounding.add(candidate["groundingMetadata"])
      }
    },
    reading(complete) {
      if (free || !usage || !saysTokens(usage)) return { ...NO_READING, model, free }
      const read = readUsage(usage, { splitImages })
      const { units, calls } = grounding.units(model ?? requestedModel)
      return {
        model,
        parts: [{ model, usage: read.usage, contextTokens: read.contextTokens, role: "answer" }],
        units,
        tier,
        speed: undefined,
        geo: undefined,
        reportedCostUsd: undefined,
        raw: { ...(boundedCopy(usage) as object), ...(calls ? { grounding: calls } : {}) },
        source: complete || finished || streamed === 0 ? "reported" : "estimated",
        free: false,
        inconsistent: read.inconsistent,
      }
    },
  }
}

const ANSWER_SHAPE = {
  modelVersion: true,
  usageMetadata: true,
  candidates: [
    { finishReason: true, groundingMetadata: { webSearchQueries: true, groundingChunks: [{ web: { domain: true } }] } },
  ],
} satisfies Shape

const SHAPE: Shape = { ...ANSWER_SHAPE, response: ANSWER_SHAPE }
