import { NO_READING } from "../../core/usage.ts"
import type { Shape } from "../../kit/json-prune.ts"
import type { Fold, JsonObject } from "../_fold.ts"
import { createParts } from "../_parts.ts"
import { boundedJson } from "../_raw.ts"
import { listOf, objectOf, textOf } from "../_values.ts"
import { createGrounding } from "./grounding.ts"
import { fromInteraction } from "./interactions.ts"
import { readUsage, saysTokens } from "./usage.ts"

export interface GeminiFoldOptions {
  readonly free: boolean
  /** Embeddings have prices by modality; generation bills an image like text. */
  readonly splitImages: boolean
  /** Each document is an answer of its own: the lines of a batch's result file. */
  readonly batch: boolean
  readonly requestedModel: string | undefined
}

const FINISH = Buffer.from('"finishReason"')
const GROUNDING = Buffer.from('"groundingMetadata"')
const PROMPT = Buffer.from('"promptTokenCount"')
const INTERACTION = Buffer.from('"interaction"')

/** Folds Gemini's answers: each chunk repeats the counts so far, so the last that has a prompt count is the answer's. */
export function createGeminiFold({ free, splitImages, batch, requestedModel }: GeminiFoldOptions): Fold {
  let model: string | undefined
  let usage: JsonObject | undefined
  let tier: string | undefined
  let finished = false
  let images = 0
  /** The newest chunk with counts that was not parsed, for a newer one replaces it: only a cut stream needs it. */
  let newest: Buffer | undefined
  const grounding = createGrounding()
  const lines = createParts()

  function add(answer: JsonObject) {
    const earlier = newest
    newest = undefined
    if (earlier && objectOf(answer["usageMetadata"])?.["promptTokenCount"] === undefined) add(parsed(earlier) ?? {})
    model = textOf(answer["modelVersion"]) ?? textOf(answer["model"]) ?? model
    const said = objectOf(answer["usageMetadata"]) ?? fromInteraction(answer)
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
    images = Math.max(images, listOf(answer["predictions"]).length)
  }

  function addLine(answer: JsonObject) {
    const said = objectOf(answer["usageMetadata"])
    if (!said || !saysTokens(said)) return
    const name = textOf(answer["modelVersion"])
    lines.add({ model: name, units: {}, raw: said, ...readUsage(said, { splitImages }) })
  }

  return {
    shape: SHAPE,
    wants(data) {
      if (model === undefined || data.includes(FINISH) || data.includes(GROUNDING) || data.includes(INTERACTION))
        return true
      if (data.includes(PROMPT)) newest = Buffer.from(data)
      return false
    },
    add(document) {
      // Batch results, the Interactions API's events and some proxies wrap the answer.
      const answer = objectOf(document["response"]) ?? objectOf(document["interaction"]) ?? document
      if (batch) addLine(answer)
      else add(answer)
    },
    reading(complete) {
      if (batch) return { ...lines.reading(), tier: "batch", free: lines.isEmpty() }
      if (newest) add(parsed(newest) ?? {})
      if (free || !usage || !saysTokens(usage)) {
        return { ...NO_READING, model, free, units: images > 0 ? { images } : {} }
      }
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
        raw: { ...(boundedJson(usage) as object), ...(calls ? { grounding: calls } : {}) },
        source: complete || finished ? "reported" : "estimated",
        free: false,
        inconsistent: read.inconsistent,
      }
    },
  }
}

const ANSWER_SHAPE = {
  modelVersion: true,
  model: true,
  usageMetadata: true,
  usage: true,
  candidates: [
    { finishReason: true, groundingMetadata: { webSearchQueries: true, groundingChunks: [{ web: { domain: true } }] } },
  ],
  predictions: [{ mimeType: true }],
} satisfies Shape

const SHAPE: Shape = { ...ANSWER_SHAPE, response: ANSWER_SHAPE, interaction: ANSWER_SHAPE }

function parsed(data: Buffer): JsonObject | undefined {
  try {
    const document = objectOf(JSON.parse(data.toString("utf8")))
    return document && (objectOf(document["response"]) ?? document)
  } catch {
    return undefined
  }
}
