import { NO_READING, type Reading } from "../../core/usage.ts"
import type { Shape } from "../../kit/json/prune.ts"
import type { StoredResponse } from "../_dialect.ts"
import type { Fold, JsonObject } from "../_fold.ts"
import { createParts, rereadParts } from "../_parts.ts"
import { boundedJson } from "../_raw.ts"
import { countOf, listOf, objectOf, textOf } from "../_values.ts"
import { createGrounding, groundingUnits } from "./grounding.ts"
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
      tier = tierOf(said) ?? tier
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
        if (images === 0) return { ...NO_READING, model, free }
        return { ...NO_READING, model, free, units: { images }, raw: { billed_beside: { images } } }
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
        raw: {
          ...(boundedJson(usage) as object),
          ...(tier !== undefined && tierOf(usage) !== tier ? { serviceTier: tier } : {}),
          ...(calls ? { grounding: calls } : {}),
        },
        source: complete || finished ? "reported" : "estimated",
        free: false,
        inconsistent: read.inconsistent,
      }
    },
  }
}

function tierOf(usage: JsonObject): string | undefined {
  return textOf(usage["serviceTier"])?.toLowerCase() ?? textOf(usage["trafficType"])?.toLowerCase()
}

export function rereadGemini({ raw, model, path }: StoredResponse): Reading | undefined {
  const usage = objectOf(raw)
  if (!usage) return undefined
  const many = rereadParts(usage)
  if (many) return many
  const images = countOf(objectOf(usage["billed_beside"])?.["images"])
  if (images) return { ...NO_READING, model, raw, units: { images } }
  if (!saysTokens(usage)) return undefined
  const read = readUsage(usage, { splitImages: isEmbedding(path) })
  const grounding = objectOf(usage["grounding"])
  return {
    ...NO_READING,
    model,
    parts: [{ model, usage: read.usage, contextTokens: read.contextTokens, role: "answer" }],
    units: grounding ? groundingUnits(countOf(grounding["web_search_queries"]) ?? 0, model) : {},
    tier: tierOf(usage),
    raw,
    source: "reported",
    inconsistent: read.inconsistent,
  }
}

/** Embeddings have prices by modality; generation bills an image like text. */
export function isEmbedding(path: string): boolean {
  return /:(batch)?embedContents?$/i.test(path)
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
