import { NO_READING, NO_USAGE, type Reading, type Units } from "../../core/usage.ts"
import { readBatch } from "../_batch.ts"
import { boundedJson } from "../_bounded-json.ts"
import type { Evidence } from "../_evidence.ts"
import { type Pieces, readKept } from "../_pieces.ts"
import { readReportedCost } from "../_reported-cost.ts"
import { countOf, type JsonObject, listOf, objectOf, textOf } from "../_values.ts"
import { ADDED_MEMBERS } from "./added-members.ts"
import { OPERATIONS } from "./routes.ts"
import { readImageTool, toolUnits } from "./server-tools.ts"
import { type Modality, readUsage } from "./usage.ts"

/** Returns the reading of an answer in OpenAI's dialect: live, stored, or a line of a batch. */
export function toReading(evidence: Evidence): Reading {
  const { method, path, usage, isFree } = evidence
  const { kind } = OPERATIONS.find(method, path)
  if (!usage) return { ...NO_READING, model: evidence.model, free: isFree }
  const beside = objectOf(usage["billed_beside"])
  const batch = readBatch(usage)
  if (batch) return { ...batch, geo: textOf(usage["region"]), free: isFree }
  const pieces = readKept(beside)
  if (pieces) return readPieces(evidence, usage, pieces)
  const counted = objectOf(usage["estimated_from_text"])
  return counted ? readCounted(evidence, usage, counted) : readReported(evidence, usage, kind)
}

/** Reads usage that the provider reported, which is the usual case. */
function readReported(evidence: Evidence, usage: JsonObject, kind: string | undefined): Reading {
  const { model, source, isFree } = evidence
  const beside = objectOf(usage["billed_beside"])
  const tier = tierOf(usage)
  const geo = textOf(beside?.["region"])
  const read = readUsage(usage, unsplitOutputOf(kind), kind === "images" || kind === "realtime")
  if (!read)
    return kind === "call" ? { ...readCostAlone(evidence, usage), missing: CALL } : readCostAlone(evidence, usage)
  const role = kind === "decisions" ? "decision" : "answer"
  const spoken = kind === "realtime" ? SPOKEN : undefined
  const answer = { model, usage: read.usage, contextTokens: read.contextTokens, role, ...spoken } as const
  const drawn = readImageTool(objectOf(beside?.["image_generation"]))
  return {
    model,
    parts: drawn ? [answer, drawn] : [answer],
    units: unitsOf(usage, beside, { model, audioSeconds: read.audioSeconds }),
    tier,
    speed: undefined,
    geo,
    ...readReportedCost(usage),
    raw: boundedJson(usage, ADDED_MEMBERS),
    source,
    free: isFree,
    inconsistent: read.inconsistent,
    missing: missingIn(usage, beside, drawn !== undefined),
  }
}

const SPOKEN = { isSpoken: true } as const
const CALL = ["the sound of a call does not pass through the gateway"]

/** An answer without tokens, for which the provider may state a cost all the same, as xAI does for videos. */
function readCostAlone({ model, source, isFree }: Evidence, usage: JsonObject): Reading {
  const geo = textOf(objectOf(usage["billed_beside"])?.["region"])
  const reading = { ...NO_READING, model, tier: tierOf(usage), geo, free: isFree }
  const reported = readReportedCost(usage)
  if (reported.reportedCostUsd === undefined) return reading
  return { ...reading, ...reported, raw: boundedJson(usage, ADDED_MEMBERS), source }
}

/** Pictures, speech, films and pages, which are billed by the piece. */
function readPieces({ model, isFree }: Evidence, usage: JsonObject, { pieces, kinds, missing }: Pieces): Reading {
  const reported = readReportedCost(usage)
  return {
    ...NO_READING,
    model,
    tier: tierOf(usage),
    geo: textOf(objectOf(usage["billed_beside"])?.["region"]),
    source: reported.reportedCostUsd === undefined ? "none" : "reported",
    free: isFree,
    ...reported,
    raw: boundedJson(usage, ADDED_MEMBERS),
    units: pieces,
    ...(kinds ? { kinds } : {}),
    missing,
  }
}

/** Tokens that the gateway counted from the texts of an answer that reported no usage. */
function readCounted({ method, path, model, isFree }: Evidence, usage: JsonObject, counted: JsonObject): Reading {
  const input = countOf(counted["input_tokens"]) ?? 0
  const reasoning = countOf(counted["reasoning_tokens"]) ?? 0
  const shown = (countOf(counted["output_tokens"]) ?? 0) - reasoning
  const { kind } = OPERATIONS.find(method, path)
  const ofModalities = readCountedModalities(counted)
  const output = kind === "speech" ? { outputAudio: shown } : { output: shown - ofModalities.outputAudio, reasoning }
  const text = input - ofModalities.inputAudio - ofModalities.inputImage
  const beside = objectOf(usage["billed_beside"])
  const { seconds } = counted
  return {
    ...NO_READING,
    model,
    parts: [
      {
        model,
        usage: { ...NO_USAGE, ...ofModalities, input: text, ...output },
        contextTokens: input,
        role: "answer",
        ...(kind === "realtime" && SPOKEN),
      },
    ],
    units: unitsOf(usage, beside, { model, audioSeconds: typeof seconds === "number" ? seconds : undefined }),
    tier: tierOf(usage),
    geo: textOf(beside?.["region"]),
    raw: usage,
    source: "estimated",
    free: isFree,
    missing: reasoning > 0 ? HIDDEN_REASONING : counted["hides_reasoning"] === true ? UNKNOWN_REASONING : undefined,
  }
}

/** The tokens of sound and of pictures that were counted in a session; they are parts of the totals. */
function readCountedModalities(counted: JsonObject) {
  return {
    inputAudio: countOf(counted["input_audio_tokens"]) ?? 0,
    inputImage: countOf(counted["input_image_tokens"]) ?? 0,
    outputAudio: countOf(counted["output_audio_tokens"]) ?? 0,
  }
}

const HIDDEN_REASONING = ["the tokens of hidden reasoning are estimated"]
const UNKNOWN_REASONING = ["the tokens of hidden reasoning are not known, and not in the sum"]

const NO_UNITS: Units = {}

function unitsOf(
  usage: JsonObject,
  beside: JsonObject | undefined,
  { model, audioSeconds }: { readonly model: string | undefined; readonly audioSeconds: number | undefined },
): Units {
  const calls = objectOf(usage["server_tool_calls"])
  if (model !== undefined && SEARCH_MODEL.test(model)) return { searchAnswers: 1 }
  const units = calls || beside ? toolUnits(calls, beside) : NO_UNITS
  return audioSeconds === undefined ? units : { ...units, audioSeconds }
}

/** OpenAI's models that search for each answer in chat, such as `gpt-4o-search-preview` and `gpt-5-search-api`. */
const SEARCH_MODEL = /^(?:openai\/)?gpt-[^/]*-search-(?:preview|api)\b/

/** Returns what ran and was billed, and is not stated in full. */
function missingIn(usage: JsonObject, beside: JsonObject | undefined, isDrawn: boolean): readonly string[] | undefined {
  const drawings = countOf(objectOf(usage["server_tool_calls"])?.["image_generation_call"]) ?? 0
  const sources = countOf(usage["num_sources_used"]) ?? 0
  const stated = listOf(beside?.["missing"])
  // Mistral counts the calls of its own tools by name.
  const connectors = objectOf(usage["connectors"])
  if ((drawings === 0 || isDrawn) && sources === 0 && stated.length === 0 && !connectors) return undefined
  return [
    ...(drawings > 0 && !isDrawn ? ["the tokens of the image tool are not in the answer"] : []),
    ...(sources > 0 ? [`the fee for ${sources} search sources is not known`] : []),
    ...Object.entries(connectors ?? {}).flatMap(([name, count]) =>
      countOf(count) ? [`the fee of ${textOf(name)} is not known`] : [],
    ),
    ...stated.map(textOf).filter((reason) => reason !== undefined),
  ]
}

/**
 * The tier that served the request. Mistral writes its list price as `standard` inside the usage, where no other
 * provider states a tier: that is the same as none.
 */
function tierOf(usage: JsonObject): string | undefined {
  const tier = textOf(usage["service_tier"])?.toLowerCase()
  return tier === "standard" ? undefined : tier
}

/** Returns the modality of the output of an operation, for a provider that does not split it. */
function unsplitOutputOf(kind: string | undefined): Modality {
  return kind === "images" ? "image" : kind === "speech" ? "audio" : "text"
}
