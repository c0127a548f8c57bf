import { NO_READING, type Part } from "../../core/usage.ts"
import type { Shape } from "../../kit/json/prune.ts"
import type { TextCounter } from "../_estimate.ts"
import type { Fold, JsonObject } from "../_fold.ts"
import { createParts } from "../_parts.ts"
import { boundedJson } from "../_raw.ts"
import { listOf, objectOf, textOf } from "../_values.ts"
import { estimateUsage, type RequestBody } from "./estimate.ts"
import { readReportedCost } from "./reported-cost.ts"
import { findImageTool, readImageTool, readServerTools } from "./server-tools.ts"
import { type Modality, readUsage } from "./usage.ts"

export interface OpenAiFoldOptions {
  /** What output is when the provider does not split it: image endpoints image, speech audio. */
  readonly unsplitOutput: Modality
  /** `eu`, `us`: OpenAI's regional hosts. */
  readonly geo: string | undefined
  /** The operation costs nothing; its numbers are shown, not charged. */
  readonly free: boolean
  /** Each document is an answer of its own: the lines of a batch's output file. */
  readonly batch: boolean
  /** Counts the text of a stream, in case it is cut before its usage; undefined: not billed by text. */
  readonly counter: TextCounter | undefined
  readonly request: RequestBody
}

/** Streams that never name a model (speech, pictures) are not parsed for it beyond this many events. */
const MAX_EVENTS_WITHOUT_MODEL = 8

const USAGE = Buffer.from('"usage"')

/** Folds the answers of the OpenAI family: whole, streamed and batched, chat, Responses and the rest. */
export function createOpenAiFold(options: OpenAiFoldOptions): Fold {
  const { unsplitOutput, geo, free, batch, counter } = options
  let model: string | undefined
  let tier: string | undefined
  let usage: JsonObject | undefined
  let output: unknown
  let imageTool: JsonObject | undefined
  let images = 0
  /** The usage came in the middle of a stream: more may have followed it. */
  let provisional = false
  let events = 0
  const lines = batch ? createParts() : undefined

  function addAnswer(body: JsonObject, isStreamed: boolean) {
    model = textOf(body["model"]) ?? model
    tier = textOf(body["service_tier"])?.toLowerCase() ?? tier
    const said = objectOf(body["usage"]) ?? objectOf(objectOf(body["x_groq"])?.["usage"])
    if (said) {
      usage = said
      provisional = isStreamed && isUnfinished(body)
    }
    if (Array.isArray(body["output"])) output = body["output"]
    imageTool = findImageTool(body) ?? imageTool
    if (unsplitOutput === "image") images = Math.max(images, listOf(body["data"]).length)
  }

  function addLine(line: JsonObject) {
    const body = objectOf(objectOf(line["response"])?.["body"])
    const said = objectOf(body?.["usage"])
    const read = body && said ? readUsage(said) : undefined
    if (!body || !said || !read) return
    const { units } = readServerTools(body["output"])
    lines!.add({ model: textOf(body["model"]), raw: said, units, ...read })
  }

  return {
    shape: batch ? BATCH_SHAPE : SHAPE,
    wants(data) {
      events++
      counter?.addEvent(data)
      if (model === undefined && events <= MAX_EVENTS_WITHOUT_MODEL) return true
      const at = data.indexOf(USAGE)
      return at >= 0 && !isNullAt(data, at + USAGE.length)
    },
    add(document) {
      if (batch) return addLine(document)
      const response = objectOf(document["response"])
      addAnswer(response ?? document, document["choices"] !== undefined)
    },
    reading(complete) {
      if (lines) {
        const reading = lines.reading()
        const raw = geo ? { ...(reading.raw as object), region: geo } : reading.raw
        return { ...reading, raw, tier: "batch", geo, free: lines.isEmpty() }
      }
      const read = usage && readUsage(usage, unsplitOutput)
      const { units, calls } = readServerTools(output)
      if (!usage || !read) {
        const nothing = { ...NO_READING, model, tier, geo, free }
        const region = geo ? { region: geo } : {}
        if (images > 0) return { ...nothing, units: { images }, raw: { billed_beside: { images, ...region } } }
        if (complete || !counter || events === 0) return nothing
        return estimateUsage(options.request, counter, { model, tier, geo })
      }
      const pictures = readImageTool(imageTool)
      const answer: Part = { model, usage: read.usage, contextTokens: read.contextTokens, role: "answer" }
      return {
        model,
        parts: pictures ? [answer, pictures] : [answer],
        units: read.audioSeconds === undefined ? units : { ...units, audioSeconds: read.audioSeconds },
        tier,
        speed: undefined,
        geo,
        reportedCostUsd: readReportedCost(usage),
        raw: toRaw(usage, { tier, calls, geo, codeContainers: units.codeContainers, imageTool: pictures && imageTool }),
        source: complete || !provisional ? "reported" : "estimated",
        free,
        inconsistent: read.inconsistent,
      }
    },
  }
}

/** The usage as the provider said it, with what it bills and said elsewhere. */
function toRaw(
  usage: JsonObject,
  beside: {
    readonly tier: string | undefined
    readonly calls: unknown
    readonly geo: string | undefined
    readonly codeContainers: number | undefined
    readonly imageTool: JsonObject | undefined
  },
): Record<string, unknown> {
  const { tier, calls, geo, codeContainers, imageTool } = beside
  // Parsed for this answer alone: what is written into it, is written into nobody else's.
  const raw = boundedJson(usage) as Record<string, unknown>
  if (tier) raw["service_tier"] = tier
  if (calls) raw["server_tool_calls"] = calls
  if (!geo && !codeContainers && !imageTool) return raw
  raw["billed_beside"] = {
    ...(geo ? { region: geo } : {}),
    ...(codeContainers ? { code_containers: codeContainers } : {}),
    ...(imageTool ? { image_generation: boundedJson(imageTool) } : {}),
  }
  return raw
}

const ANSWER_SHAPE = {
  model: true,
  service_tier: true,
  usage: true,
  x_groq: { usage: true },
  output: [{ type: true, action: { type: true }, container_id: true }],
  choices: [{ finish_reason: true }],
  data: [{ index: true }],
  tool_usage: { image_gen: true },
  tools: [{ type: true, model: true }],
} satisfies Shape

const SHAPE: Shape = { ...ANSWER_SHAPE, type: true, response: ANSWER_SHAPE }

const BATCH_SHAPE: Shape = { response: { body: { model: true, usage: true, output: ANSWER_SHAPE.output } } }

/** Some choice of this chunk goes on: its usage is a running count (Perplexity). */
function isUnfinished(chunk: JsonObject): boolean {
  return listOf(chunk["choices"]).some((choice) => objectOf(choice)?.["finish_reason"] == null)
}

/** Is the value behind a key `null`? Every chunk of OpenAI's says so until the last. */
function isNullAt(data: Buffer, start: number): boolean {
  let at = start
  while (at < data.length && (data[at]! <= 32 || data[at] === 58)) at++
  return data[at] === 110
}
